"""MNIST Lab: what regularization does to a small neural network, shown honestly and within seconds."""

__version__ = "0.1.0"
