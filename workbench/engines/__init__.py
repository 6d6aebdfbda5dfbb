"""The servers that claims are proved on."""

import logging

# what fails in the driver's own threads is told by the call that needs it, and not on stderr as well
logging.getLogger("pymongo").addHandler(logging.NullHandler())
