# SPDX-License-Identifier: Apache-2.0
"""benchmarks/gpu_table.py on readings that are known: floors, ratios, verdicts, failures, and the README's table.

    gpu_table_test.py        exit 0 when all of it holds"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

HERE = pathlib.Path(__file__).resolve().parent
BENCHMARKS = HERE.parents[1] / "benchmarks"
READINGS = [json.loads(line) for line in (HERE / "gpu_results.jsonl").read_text().splitlines()]
sys.path.insert(0, str(BENCHMARKS))
import gpu_table  # noqa: E402


def table(readings, *options):
    """Exit code and lines."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(r) + "\n" for r in readings))
        file.flush()
        done = subprocess.run([sys.executable, BENCHMARKS / "gpu_table.py", *options, file.name], capture_output=True,
                              text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def row(lines, name):
    """A row's cells, without the name."""
    found = [line for line in lines if line.startswith(name + "  ")]
    assert len(found) == 1, (name, lines)
    return found[0][len(name):].split()


class Table(unittest.TestCase):
    def test_goals(self):
        code, lines = table(READINGS)
        self.assertEqual(code, 0, "below a goal is no failure")
        self.assertEqual(lines[0], "ceilings: 780 and 800 TFLOP/s in a bf16 product of 8192, 4000 and 3900 GB/s in a copy; "
                         "the best counts")
        self.assertEqual(row(lines, "phase 2b_vision"),
                         ["12.5000", "20.0000", "1.60", "640.0", "160", "80", "%", "≤", "16", "ms", "met"])
        # bytes are the floor of decoding
        self.assertEqual(row(lines, "phase 2b_decode_token"), ["1.0000", "3.0", "3000", "75", "%", "≤", "1", "ms", "met"])
        self.assertEqual(row(lines, "phase 2b_prefill")[-1], "BELOW")
        # 10 + 3.75 + 40 · 0.75 + 3.75 ms, and 40 · 0.75 + 3.75 ms
        # of 76 ms and 4 ms for the file
        self.assertEqual(row(lines, "phase 2b_end_to_end with picture_file"), ["80.0000", "59", "%", "≤", "80", "ms", "met"])
        self.assertEqual(row(lines, "phase 7b_end_to_end with picture_file"), ["243.0000", *"≤ 240 ms BELOW".split()])
        self.assertEqual(row(lines, "phase 2b_end_to_end against eager transformers")[:3], ["76.0000", "420.0000", "5.53"])
        self.assertIn("phase 2b_end_to_end with picture_file: 76.0000 ms from pixels on, 4.0000 ms for the file", lines)
        self.assertIn("phase 2b_end_to_end_guessed: 40.0000 ms, 40 words in 10 passes, 1.90 times as quick as without guesses", lines)
        self.assertIn("phase 2b_next_question_drafted: 50.0000 ms, 40 words in 39 passes, 0.98 times as quick as without guesses",
                      lines)
        self.assertEqual(row(lines, "phase 2b_next_question")[:3], ["49.0000", "69", "%"])
        self.assertEqual(row(lines, "phase 7b_end_to_end against eager transformers")[-5:], ["≥", "5", "×", "torch", "BELOW"])
        # the quicker of their two graphs
        self.assertEqual(row(lines, "phase 2b_decode_token against compiled transformers"),
                         ["1.0000", "1.2500", "1.25", "3.0", "3000", "75", "%", *"≥ 1.3 × torch BELOW".split()])
        self.assertIn("not available: 7b_compiled, RuntimeError: no compiler", lines)
        self.assertIn("masks int8_against_bf16: IoU 0.99, 2 of 2400 cells on the other side, the same words in 4 of 4 answers", lines)
        self.assertEqual(row(lines, "product 2b_qkv_1")[2], "1.25")
        # the best of our kernels that may be chosen against PyTorch's best
        self.assertEqual(row(lines, "attention mask_2b_hopper")[:3], ["0.0210", "0.0200", "0.95"])
        self.assertEqual(row(lines, "repeats 2b_two_objects_a_pass"), [*"the same bits 100 times met".split()])
        self.assertIn("launched as a graph on one side only: 2b_gate_up_1024", lines)
        self.assertTrue(lines[-2].startswith("not measured: phase 7b_vision, phase 7b_prefill, phase 7b_decode_token, "), lines)
        self.assertEqual(lines[-1], "goals: 11 met, 41 not measured, 5 below: phase 2b_prefill, phase 7b_end_to_end with picture_file, "
                         "phase 7b_end_to_end against eager transformers, phase 2b_decode_token against compiled transformers, product 2b_gate_up_1024")

    def test_phases_with_the_hopper_kernel_are_reported_and_not_counted(self):
        counted = table(READINGS)[1][-1]
        hopper = [{"side": "stamp_hopper", "kind": "phase", "name": "2b_mask_pass", "ms": 6.0, "operations": 3e12, "bytes": 3e9},
                  {"side": "stamp_hopper", "kind": "phase", "name": "7b_prefill", "ms": 25.0}]
        code, lines = table([*READINGS, *hopper])
        self.assertEqual(code, 0)
        self.assertEqual(row(lines, "phase 2b_mask_pass with hopper")[-4:], ["≤", "6.5", "ms", "met"])
        self.assertEqual(row(lines, "phase 7b_prefill with hopper")[-4:], ["≤", "24", "ms", "BELOW"])
        self.assertEqual(sum("with hopper" in line for line in lines), 2, "none where there is no reading")
        self.assertEqual(lines[-1], counted)

    def test_products_that_are_split_are_named(self):
        self.assertFalse(any("product library" in line for line in table(READINGS)[1]), "where nothing was told")
        told = [{"side": "stamp", "kind": "product", "name": name, "ms": 1.0, "recorded": 20, "tflops": 1, "gbytes_per_s": 1,
                 "algorithm": 66, "tile": 20, "stages": 15, "splits": splits, "reduction": 2}
                for name, splits in (("2b_qkv_1024", 1), ("2b_o_1024", 2), ("2b_down_1024", 4))]
        self.assertIn("the product library splits 2 of 3 products: 2b_o_1024 in 2, 2b_down_1024 in 4", table(told)[1])
        self.assertIn("the product library splits 0 of 1 products: none", table(told[:1])[1])

    def test_failures(self):
        worse = [dict(r) for r in READINGS]
        for r in worse:
            if r["kind"] == "bits":
                r["equal"] = False
            if r["kind"] == "memory":
                r["count"] = 3
            if r["kind"] == "compare":
                r["changed"] = 1
            if r["name"] == "2b_two_objects_a_pass":
                r["same"] = 97
            if r["name"] == "2b_one_object_a_pass":
                r["finite"] = False
        code, lines = table(worse)
        self.assertEqual(code, 1)
        self.assertIn("FAILED stamp 2b_graphs_and_plain_launches: the bits differ, or words with guesses", lines)
        self.assertIn("FAILED stamp 2b_requests_after_warm_up: the driver was asked for memory 3 times", lines)
        self.assertIn("FAILED stamp 2b_two_objects_a_pass: the same bits 97 times of 100", lines)
        self.assertIn("FAILED stamp 2b_one_object_a_pass: the same bits 100 times of 100, not finite", lines)
        self.assertEqual(row(lines, "repeats 2b_two_objects_a_pass")[-4:], ["BELOW:", "97", "of", "100"])
        self.assertEqual(row(lines, "repeats 2b_one_object_a_pass")[-4:], ["BELOW:", "100", "of", "100"])
        self.assertEqual(sum(line.startswith("FAILED") for line in lines), 5)
        # a kernel that disagrees reaches no goal
        self.assertEqual(row(lines, "attention mask_2b_tensor")[-1], "BELOW")

    def test_too_few_repeats_reach_no_goal(self):
        code, lines = table([{"side": "stamp", "kind": "repeats", "name": "2b_words", "same": 9, "of": 9, "finite": True}])
        self.assertEqual(code, 0)
        self.assertEqual(row(lines, "repeats 2b_words")[-4:], ["BELOW:", "9", "of", "9"])

    def test_an_answer_without_its_picture_s_file_is_not_judged(self):
        code, lines = table([r for r in READINGS if r["name"] != "2b_picture_file"])
        self.assertEqual(code, 0)
        self.assertTrue(any(line.startswith("not measured: ") and "phase 2b_end_to_end with picture_file, " in line for line in lines))
        self.assertFalse(any(line.startswith("phase 2b_end_to_end with picture_file") for line in lines), lines)

    def test_not_finite(self):
        code, lines = table([{"side": "stamp", "kind": "bits", "name": "a", "equal": True, "finite": False}])
        self.assertEqual(code, 1)
        self.assertIn("FAILED stamp a: numbers that are not finite", lines)

    def test_nothing_measured(self):
        code, lines = table([])
        self.assertEqual(code, 0)
        self.assertEqual(lines[0], "ceilings: not measured, so no floors")
        self.assertEqual(lines[-1], "goals: 0 met, 57 not measured, 0 below")

    def test_all_readings(self):
        code, lines = table(READINGS, "--all")
        self.assertEqual(code, 0)
        self.assertEqual(row(lines, "product 2b_qkv_1_int8"), ["0.0009", "5.0", "2600", "65", "%"])
        self.assertEqual(row(lines, "attention mask_2b_tiled")[2], "2.00")
        # 10 + 3.75 + 10 · 0.75 + 3.75 ms: a floor of passes, not of words; none is known of codes
        self.assertEqual(row(lines, "phase 2b_end_to_end_guessed"), ["40.0000", "62", "%"])
        self.assertEqual(row(lines, "phase 2b_int8_end_to_end"), ["20.0000"])

    def test_what_pytorch_has_not_is_not_measured(self):
        lines = table([r for r in READINGS if r["side"] != "torch" or r["kind"] == "ceiling"])[1]
        self.assertEqual(row(lines, "product 2b_qkv_1")[-2:], ["not", "measured"])
        self.assertEqual(lines[-1], "goals: 8 met, 47 not measured, 2 below: phase 2b_prefill, "
                         "phase 7b_end_to_end with picture_file")

    def test_the_newest_results_become_the_readme_s_table(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(gpu_table, "HERE", pathlib.Path(folder)):
            readme = gpu_table.HERE / "README.md"
            readme.write_text(f"before\n<!-- {gpu_table.MARK}: begin -->\nold\n<!-- {gpu_table.MARK}: end -->\nafter\n")
            gpu_table.write(check=False)
            self.assertIn("begin -->\nNot yet measured.\n<!--", readme.read_text())
            (gpu_table.HERE / "results").mkdir()
            (gpu_table.HERE / "results/gpu_2026-01-01_other.jsonl").write_text("")
            (gpu_table.HERE / "results/gpu_2026-01-02_test.jsonl").write_text((HERE / "gpu_results.jsonl").read_text())
            gpu_table.write(check=False)
            lines = readme.read_text().splitlines()
            self.assertEqual(gpu_table.write(check=True), 0)
        self.assertEqual((lines[0], lines[-1]), ("before", "after"))
        self.assertTrue(lines[2].startswith("`results/gpu_2026-01-02_test.jsonl`: Test GPU, 1.2, 2026-01-02, commit 0123456. "
                                            "Ceilings: 780 and 800 TFLOP/s"), lines[2])
        self.assertIn("| phase 2b_vision | 12.5000 | 20.0000 | 1.60 | 640.0 | 160 | 80 % | ≤ 16 ms | met |", lines)
        self.assertEqual({line.count("|") for line in lines if line.startswith("|")}, {10})
        self.assertEqual(sum(line.startswith("|") for line in lines), 2 + 16)

    def test_readme_is_up_to_date(self):
        self.assertEqual(gpu_table.write(check=True), 0)


if __name__ == "__main__":
    unittest.main()
