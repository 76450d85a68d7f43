from . import models, wizards
from .hooks import post_load, uninstall_hook

__all__ = ["models", "post_load", "uninstall_hook", "wizards"]
