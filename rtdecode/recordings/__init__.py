"""Recordings: files of brain signals as one plain type, whatever format they were written in.

`read` opens a file, `pieces` cuts it into chunks for the decoder, `decode` feeds it to one. Knows nothing of
models, of streams or of what was heard. Readers of foreign formats are imported when a file asks for them.
"""

from rtdecode.recordings.feed import decode, pieces
from rtdecode.recordings.read import FORMATS, read
from rtdecode.recordings.recording import Marker, Recording

__all__ = ["FORMATS", "Marker", "Recording", "decode", "pieces", "read"]
