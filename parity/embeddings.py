"""Makes the golden folder of embeddings as clip-retrieval writes them, by its own writer.

Two parts, of three embeddings and of two, of the width of Diptych's default model: values are a formula that the test
repeats, in f16 and not of length 1. The pictures' names are of no files; one caption is missing.

    python parity/embeddings.py --write-golden crates/search/tests/golden/clip-retrieval

Needs: numpy, pandas, pyarrow, fsspec, and clip-retrieval, of which one file is loaded (`pip install --no-deps` will do).
"""

import argparse
import importlib.util
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

DIM = 192
PARTS = (3, 2)


def writer():
    """clip-retrieval's module that writes, without the rest of it, which wants a GPU's libraries."""
    package = Path(importlib.util.find_spec("clip_retrieval").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("writer", package / "clip_inference" / "writer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def embedding(i):
    return 3 * np.sin(np.arange(DIM) * (i + 1), dtype=np.float64)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write-golden", type=Path, required=True)
    golden = parser.parse_args().write_golden
    numpy_writer = writer().NumpyWriter
    i = 0
    for part, rows in enumerate(PARTS):
        write = numpy_writer(part, str(golden), False, True, True, len(PARTS))
        names, metadata = [], []
        for row in range(i, i + rows):
            names.append(f"set/{row:05}")
            caption = None if row == 4 else f"a drawing of number {row}"
            metadata.append(json.dumps({"caption_of_page": caption, "width": 100 + row}))
        embeddings = np.stack([embedding(row) for row in range(i, i + rows)]).astype(np.float16)
        write({"image_embs": embeddings, "image_filename": names, "metadata": metadata})
        write.flush()
        i += rows
    packages = ("clip-retrieval", "numpy", "pandas", "pyarrow")
    (golden / "versions.json").write_text(json.dumps({name: version(name) for name in packages}, indent=1) + "\n")


if __name__ == "__main__":
    main()
