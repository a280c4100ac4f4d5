"""How likely is it to default, and why?"""

from models.scorer import Scorer

__all__ = ["Scorer"]
