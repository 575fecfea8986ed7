"""What a study's files are and where they come from. Facts only: nothing is downloaded here.

Loaders in `offline.studies` each hold one `Source`; `offline.fetch.run.fetch` follows it.
"""

from dataclasses import dataclass
from typing import Literal

PartKind = Literal["url", "osf", "zip", "globus", "manual"]


@dataclass(frozen=True)
class Part:
    """Files that come together.

    kind    'url'     one file: `where` is its address, `into` its path below the study's root (a path that
                      ends in '/' is a folder, the name is then the address's)
            'osf'     every file of a public OSF node: `where` is the node's id, `into` a folder
            'zip'     an archive: `where` is its address, `into` the folder it is unpacked into; archives
                      inside it are unpacked where they lie
            'globus', 'manual'   nothing that a program may download: `where` is the page a person opens,
                      `into` the folder the files belong in, `note` what to take and how
    into    below the study's root, '' the root itself
    sha256  of the one file or of the archive, in hexadecimal; '' unknown
    size    of the same, in bytes; 0 unknown
    """

    kind: PartKind
    where: str
    into: str
    sha256: str = ""
    size: int = 0
    note: str = ""


@dataclass(frozen=True)
class Source:
    """Where a study is published.

    licence   of the data, as its depositors state it
    doi       of the data set or its article, without 'https://doi.org/'
    register  how to get access, one sentence; '' where none is needed
    """

    name: str
    licence: str
    doi: str
    homepage: str
    register: str = ""
    parts: tuple[Part, ...] = ()
