"""Settings of the property-based tests."""

from hypothesis import settings

# A busy machine is no failure; what must be quick says so itself, in processor time.
settings.register_profile("mailkit", deadline=None)
settings.load_profile("mailkit")
