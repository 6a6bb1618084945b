"""Input of partita batch: compressed files, damaged files, and lines that are no rows."""

import base64
import gzip
import json
import os
import struct

from program import FRANCE, BatchTest, json_lines, main, run, start

# {"id":0,"prompt":"The capital of France is","n":2,"greedy":true} with the ids 0 to 7, by zstd 1.5.4.
ZSTD = base64.b64decode("KLUv/QRo5QIAggQRGHCtDpB7F7HN4B9Cu1eswodgYJaXqJpwRIdREMMSgImhnvvIMfdytfbw6s9TbpA1okrUhs0nWVNmku+ndGLLq2Dv3qUIIMBzBz+l0lViLUmlq8RqKQExEDNgNU20")


def zstd_frame(*blocks, window=0x40):
    """A frame of Zstandard's format (RFC 8878) of raw blocks (bytes) and repeated bytes (byte, count)."""
    frame = struct.pack("<IBB", 0xFD2FB528, 0, window)  # no content size; a window of 2^(10 + window / 8)
    for i, block in enumerate(blocks):
        kind, size, data = (0, len(block), block) if isinstance(block, bytes) else (1, block[1], block[0])
        frame += struct.pack("<I", (i == len(blocks) - 1) | kind << 1 | size << 3)[:3] + data
    return frame


def zstd_skippable(data):
    return struct.pack("<II", 0x184D2A53, len(data)) + data


class Input(BatchTest):
    def setUp(self):
        super().setUp()
        self.rows = [{"id": i, "prompt": FRANCE, "n": 2, "greedy": True} for i in range(8)]
        self.text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in self.rows).encode()

    def check_all_rows(self, data):
        self.input.write_bytes(data)
        self.output.unlink(missing_ok=True)
        done = run("batch", "-i", self.input, "-o", self.output)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([(r["id"], r["error"]) for r in json_lines(self.output)], [(i, None) for i in range(8)])
        piped = run("batch", "-q", stdin=data)
        self.assertEqual(piped.stdout, self.output.read_bytes())

    def check_rows_before_damage(self, data, *words, name="in"):
        """Checks that the rows before the damage are answered, and that one sentence names the file and the damage."""
        self.input.write_bytes(data)
        self.output.unlink(missing_ok=True)
        done = run("batch", "-q", "-i", self.input, "-o", self.output)
        self.check_sentence(done, 1, str(self.input), *words)
        out = json_lines(self.output)
        self.assertEqual([(r["id"], r["error"]) for r in out], [(i, None) for i in range(len(out))])
        self.assertIn(f"after line {len(out)}:", done.stderr.decode())
        return len(out)

    def test_gzip(self):
        half = len(self.text) // 2 + 5  # within a row
        self.check_all_rows(gzip.compress(self.text))
        self.check_all_rows(gzip.compress(self.text[:half]) + gzip.compress(b"") + gzip.compress(self.text[half:]))
        self.check_all_rows(gzip.compress(self.text[:-1]) + bytes(512))

    def test_zstandard(self):
        half = len(self.text) // 2 + 5
        self.check_all_rows(ZSTD)
        self.check_all_rows(zstd_frame(self.text))
        self.check_all_rows(zstd_skippable(b"whatever") + zstd_frame(self.text[:half]) + zstd_frame(b"") +
                            zstd_skippable(b"") + zstd_frame(self.text[half:-9], self.text[-9:]))

    def test_input_that_is_cut_off(self):
        padding = base64.b64encode(os.urandom(300_000)) + b"\n"
        packed = gzip.compress(self.text) + gzip.compress(b'{"id":8,"system":"' + padding)
        self.assertEqual(self.check_rows_before_damage(packed[:-2000], "ends in the middle", "gzip"), 8)
        self.assertEqual(self.check_rows_before_damage(zstd_frame(self.text, padding[:99_000])[:-9], "ends in the middle", "Zstandard"), 8)
        # After the file is repaired, the job resumes.
        self.input.write_bytes(gzip.compress(self.text) + gzip.compress(json.dumps(self.rows[0] | {"id": 8}).encode()))
        done = self.batch_json()
        self.assertEqual((done["rows"], done["skipped"]), (1, 8))

    def test_input_that_is_damaged(self):
        whole = bytearray(gzip.compress(self.text))
        whole[-6] ^= 1  # the checksum
        self.assertEqual(self.check_rows_before_damage(bytes(whole), "gzip data is damaged"), 8)
        self.assertEqual(self.check_rows_before_damage(gzip.compress(self.text) + b"more", "gzip data is damaged"), 8)
        self.assertEqual(self.check_rows_before_damage(gzip.compress(self.text) + b"\0more", "something else follows"), 8)
        self.assertEqual(self.check_rows_before_damage(zstd_frame(self.text) + b"more", "Zstandard data is damaged"), 8)
        self.assertEqual(self.check_rows_before_damage(ZSTD[:-1] + bytes([ZSTD[-1] ^ 1]), "checksum"), 8)
        block_type = bytearray(zstd_frame(self.text, b"x"))
        block_type[-4] |= 6  # one that is reserved
        self.assertEqual(self.check_rows_before_damage(bytes(block_type), "Zstandard data is damaged"), 8)
        self.assertEqual(self.check_rows_before_damage(b"\x1f\x8b\x08\xff" + bytes(40), "gzip data is damaged"), 0)
        self.assertEqual(self.check_rows_before_damage(zstd_frame(self.text, window=0xF8), "more than 128 MiB", "--long=27"), 0)

    def test_a_line_that_decompresses_to_a_gibibyte(self):
        bomb = zstd_frame(self.text[:-1] + b"\n" + b'{"id":"', *[(b"a", 1 << 17)] * 8192, b"\n" + self.text)
        self.input.write_bytes(bomb)
        process = start("batch", "-q", "-i", self.input, "-o", self.output)
        process.stdout.close()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertLess(usage.ru_maxrss, 900_000)  # KiB
        out = json_lines(self.output)
        self.assertEqual(out[8], {"id": 9, "error": "line 9 is longer than 16 MiB", "line": 9})
        self.assertEqual([r["id"] for r in out[:8]], list(range(8)))
        self.assertTrue(all("repeats" in r["error"] for r in out[9:]))

    def test_lines_that_are_no_rows(self):
        row = json.dumps({"id": 2, "prompt": FRANCE, "n": 1})
        out = self.batch(["{", "", " \t\r", row + "\r", '{"id":"deep","n":' + "[" * 500_000, '{"id":"deep","n":' + "[" * 90 + "]" * 90 + "}",
                          "\0", '{"id":1.5,"prompt":"x"}', row, '{"id":9,"n":1e400}'])
        self.assertEqual([(r["id"], r.get("line")) for r in out],
                         [(1, 1), (2, None), (5, 5), ("deep", None), (7, 7), (8, 8), (2, 9), (10, 10)])
        self.assertIsNone(out[1]["error"])
        self.assertIn("100 levels", out[2]["error"])
        self.assertIn("must be an integer", out[3]["error"])
        self.assertIn("not valid JSON", out[4]["error"])
        self.assertIn("neither a string nor an integer", out[5]["error"])
        self.assertIn("repeats", out[6]["error"])
        self.assertIn("'1e400'", out[7]["error"])
        self.assertIn("out of range", out[7]["error"])

    def test_a_line_that_cannot_be_read_takes_no_id_from_another(self):
        out = self.batch(["{", {"id": 3, "prompt": FRANCE, "n": 1}, "{", {"id": 1, "prompt": FRANCE, "n": 1}])
        self.assertEqual([(r["id"], r["error"] is None) for r in out], [(1, False), (3, True), (3, False), (1, True)])

    def test_inputs_without_rows(self):
        for data in (b"", b"\n\n", gzip.compress(b""), zstd_frame(b""), b"\x1f", b"\x28\xb5"):
            with self.subTest(data):
                done = run("batch", "-q", stdin=data)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout.count(b"not valid JSON"), int(data in (b"\x1f", b"\x28\xb5")))


if __name__ == "__main__":
    main()
