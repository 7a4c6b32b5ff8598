"""Every way to hold a hot disc beside every other, in every mode: `python -m benchmarks.experiment`."""
