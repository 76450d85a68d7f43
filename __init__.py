from . import controllers, models, wizards
from .hooks import post_load, uninstall_hook

__all__ = ["controllers", "models", "post_load", "uninstall_hook", "wizards"]
