"""How likely is it to default, and why?"""

from models.scoring.scorer import Scorer

__all__ = ["Scorer"]
