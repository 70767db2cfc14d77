"""Plug-ins that exit, close, print or never return: one line, or one picture."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from processes import cutline as program

MODEL = """
@register_model("guarded")
class Guarded:
    {attribute}

    def infer(self, prompt, image, image_name):
        if image_name.endswith("01.png"):
            {body}
        return "A caption."
"""


def ran(plugin, photos, tmp_path, *, top="pass", attribute="pass", body="pass", env=None):
    code = f"import os\n{top}\n" + MODEL.format(attribute=attribute, body=body)
    arguments = ("caption", photos(3), tmp_path / "out.jsonl", "--model", "guarded")
    return program(*arguments, "--plugin", plugin(code), env=env)


@pytest.mark.parametrize(
    ("top", "reason"),
    [
        ("sys.exit(0)", "SystemExit: 0"),
        ("sys.exit('no licence')", "SystemExit: no licence"),
        ("os._exit(0)", "os._exit() of a plug-in would end the program"),
        ("import exits_at_import", "os._exit() of a plug-in would end the program"),
        ("os.abort()", "os.abort() of a plug-in would end the program"),
        ("os.closerange(0, 4096)", "os.closerange() of a plug-in would end"),
        ("[os.close(number) for number in (2, 1)]", "os.close() of a plug-in would end"),
        ("os.dup2(os.open(os.devnull, os.O_RDWR), 2)", "os.dup2() of a plug-in would end"),
        ("while True: time.sleep(0.1)", "its import did not end within 0.5 s"),
        ("while True: pass", "its import did not end within 0.5 s"),
        ("threading.Event().wait()", "its import did not end within 0.5 s"),
    ],
)  # fmt: skip
def test_an_import_that_goes_wrong_is_one_line(top, reason, plugin, photos, tmp_path):
    (tmp_path / "exits_at_import.py").write_text("import os\nos._exit(0)\n")
    done = ran(plugin, photos, tmp_path, top=top, env={"CUTLINE_PLUGIN_SECONDS": "0.5"})
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("cutline: the plug-in ")
    assert reason in line


@pytest.mark.parametrize("attribute", ["threads = 10**9", "threads = 0", "batch_size = 10**9", "slots = 1e9"])
def test_numbers_beyond_bounds_are_one_line(attribute, plugin, photos, tmp_path):
    if attribute.startswith("batch"):
        attribute += "\n    def infer_batch(self, prompts, images, image_names): return []"
    done = ran(plugin, photos, tmp_path, attribute=attribute)
    assert done.returncode == 2
    assert "must be a number from 1 up to 1,024, written in the class" in done.stderr.splitlines()[-1]


LIBRARY = "import os, sys\ndef leave(): os._exit(0)\ndef close(): os.close(2)\n"


@pytest.mark.parametrize(
    "body",
    ["os._exit(0)", "os.closerange(3, 4096)", "os.close(2)", "sys.exit(0)", "library_of_guarded.leave()",
     "library_of_guarded.close()", "return 'a' * 1_000_001", "raise type('Odd', (Exception,), {'__str__': lambda _: 1 / 0})()"],
)  # fmt: skip
def test_a_call_that_would_end_the_program_fails_its_picture(body, plugin, photos, tmp_path):
    (tmp_path / "library_of_guarded.py").write_text(LIBRARY)
    top = "import library_of_guarded" if "library" in body else "pass"
    done = ran(plugin, photos, tmp_path, top=top, body=body)
    assert done.returncode == 1, done.stderr
    rows = [json.loads(line)["image_id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows == ["00.png", "02.png"]


@pytest.mark.parametrize("place", ["top", "body"])
@pytest.mark.parametrize(
    "code",
    ["sys.stdout.close(); sys.stderr.close()", "open(0).close(); open(1, 'w').close(); open(2, 'w').close()",
     "sys.stdout = sys.stderr = None", "os.chdir('/')", "threading.Thread(target=threading.Event().wait).start()"],
)  # fmt: skip
def test_what_a_plugin_does_to_the_process_is_undone(place, code, plugin, photos, tmp_path):
    model = MODEL.format(attribute="pass", body=code if place == "body" else "pass")
    plugin(f"import os\n{code if place == 'top' else 'pass'}\n{model}")
    photos(3)
    arguments = ("caption", "photos", "out.jsonl", "--model", "guarded", "--plugin", "my_models.py")
    done = program(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len([json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]) == 3
    assert "None" in code or "3 captions" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="threads share their working folder elsewhere")
def test_a_call_that_changes_the_working_folder_changes_no_other_threads(plugin, photos, tmp_path):
    """Pictures are opened by relative paths while it runs."""
    model = MODEL.format(attribute="threads = 4", body="pass")
    model = model.replace("if image_name", "os.chdir('/'); time.sleep(0.02)\n        if image_name")
    plugin(f"import os, time\n{model}")
    photos(60)
    arguments = ("caption", "photos", "out.jsonl", "--model", "guarded", "--plugin", "my_models.py")
    done = program(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_modules_beside_it_are_as_the_file_itself(plugin, photos, tmp_path):
    package = tmp_path / "kept_models"
    package.mkdir()
    (package / "__init__.py").write_text("print('at import')\n")
    (package / "texts.py").write_text("import os\nTEXT = 'A caption.'\ndef leave(): os._exit(0)\n")
    (package / "model.py").write_text(
        "import threading\nfrom models import register_model\nfrom .texts import TEXT, leave\n"
        "@register_model('kept')\nclass Kept:\n    def infer(self, prompt, image, image_name):\n"
        "        thread = threading.Thread(target=leave)\n        thread.start()\n        thread.join()\n"
        "        print('at work')\n        return TEXT\n"
    )
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')\n")
    code = plugin("import json\nfrom kept_models.model import Kept")
    done = program("caption", photos(2), tmp_path / "out.jsonl", "--model", "kept", "--plugin", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "at import" in done.stderr
    assert done.stderr.count("at work") == 2
    assert done.stderr.count("os._exit() of a plug-in would end the program") == 2
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_what_it_prints_is_no_output(plugin, photos, tmp_path):
    done = ran(
        plugin, photos, tmp_path, top="print('at import'); sys.stdout.write('raw')", body="print('at work')"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "at import" in done.stderr
    assert "at work" in done.stderr


def test_a_plugin_may_close_what_it_opened(plugin, photos, tmp_path):
    done = ran(plugin, photos, tmp_path, body="os.close(os.open(os.devnull, os.O_RDONLY))")
    assert done.returncode == 0, done.stderr


def test_the_working_folder_is_the_one_that_the_program_chose_last(plugin, photos, tmp_path):
    plugin("import os\n" + MODEL.format(attribute="pass", body="os.chdir('/')"))
    photos(3)
    (tmp_path / "other").mkdir()
    script = tmp_path / "script.py"
    script.write_text(
        "import os, cutline\n"
        "options = {'model': 'guarded', 'plugin': [os.path.abspath('my_models.py')]}\n"
        "cutline.caption('photos', 'out.jsonl', **options)\n"
        "os.chdir('other')\n"
        "cutline.caption('../photos', 'out.jsonl', **options)\n"
        "print(os.path.relpath(os.getcwd(), os.path.dirname(os.path.abspath('.'))))\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=240
    )
    assert done.stdout.splitlines()[-1] == "other"
    assert (tmp_path / "other/out.jsonl").exists()
