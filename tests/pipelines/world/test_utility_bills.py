"""What a business consumes follows what lasts in its sales."""

import numpy as np
import pytest

from pipelines.world.utility_bills import _lasting


def test_what_lasts_is_the_mean_of_half_a_year_as_far_as_the_business_was_there() -> None:
    sales = np.array([[9.0, 9.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0, 6.0]]).T
    alive = np.array([[False, False, True, True, True, True, True, True, True]]).T
    lasting = _lasting(sales, alive)[:, 0]
    assert lasting.tolist() == pytest.approx([0, 0, 2, 3, 2, 1.5, 1.2, 1, 10 / 6])
