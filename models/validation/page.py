"""Pages that need nothing but themselves: templates, and how figures are written in them."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **content: Any) -> str:
    """The page of a template beside this module; the same content gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("models.validation", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(percent=_percent, number=_number, count=_count)
    return environment.get_template(template).render(**content)


def _percent(share: float | None, digits: int = 1) -> str:
    return "not known" if share is None else f"{100 * share:.{digits}f} %"


def _number(figure: float | None, digits: int = 3) -> str:
    return "not known" if figure is None else f"{figure:.{digits}f}"


def _count(rows: float) -> str:
    return f"{rows:,.0f}"
