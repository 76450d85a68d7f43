from . import controllers, models, wizards
from .hooks import uninstall_hook

__all__ = ["controllers", "models", "uninstall_hook", "wizards"]
