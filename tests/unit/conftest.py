"""How hypothesis looks for counterexamples."""

from hypothesis import settings

# A busy machine is no counterexample; the time of a whole test is limited by pytest.
settings.register_profile("shop", deadline=None)
settings.load_profile("shop")
