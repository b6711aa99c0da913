"""From a model and an image to a prediction, one task a file."""
