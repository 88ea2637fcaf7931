"""Servers, services, writers and clients that fail, while each event has to arrive once.

The parts here are used by short tests beside them and by `python -m benchmarks.faults`.
"""
