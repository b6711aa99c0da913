"""Tables of one session.

A session folder holds one database; every process (backend, ML service, initialization) speaks to the others through
these tables alone. Times are UTC. Coordinates are pixels of the upright original image, origin top-left; (0.5, 0.5) is
the centre of the first pixel.
"""

# A foreign key names its table: whoever imports one table has them all, and so has `Base.metadata`.
from db.tables import annotations as annotations
from db.tables import images as images
from db.tables import learning as learning
from db.tables import processes as processes
from db.tables import session as session
