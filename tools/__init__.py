from . import debug_log
