"""What differs between tasks: validating a payload, encoding a prediction."""
