"""Every figure a model-risk team asks for, and the page that shows them."""
