"""The service that learns: refits a head after every annotation change, predicts, and does full training runs."""
