"""Imports that a worker runs: who may start one, where its files lie, and how far it is."""
