"""Faults that a bank will meet: killed processes, cut power, failing and full disks.

Each test has a control that must lose something; without it a harness that sees nothing would pass.
"""
