"""Files given as --plugin: found, run once, and told of by their lines where they are wrong."""

from __future__ import annotations

import re

import pytest

import cutline
from cutline.captioners.plugins import load_plugins
from cutline.errors import ConfigError
from processes import cutline as program
from processes import cutline_here

MODEL = """
@register_model("counted")
class Counted:
    def infer(self, prompt, image, image_name):
        return "A caption."
"""


def test_a_file_is_run_once_however_often_it_is_named(plugin, photos, capsys):
    path = plugin("print('run')" + MODEL)
    for _ in range(2):
        assert len(cutline.caption(photos_once(photos), model="counted", plugin=[path, str(path)])) == 1
    assert capsys.readouterr().out == "run\n"


_made = {}


def photos_once(photos):
    if photos not in _made:
        _made[photos] = photos(1)
    return _made[photos]


def test_modules_beside_the_file_can_be_imported_but_hide_no_installed_one(plugin, photos, tmp_path):
    (tmp_path / "words_of_mine.py").write_text("WORD = 'beside'\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')\n")
    path = plugin("""
        import json
        from words_of_mine import WORD

        @register_model("neighbour")
        class Neighbour:
            def infer(self, prompt, image, image_name):
                return json.dumps(WORD)
    """)
    (row,) = cutline.caption(photos(1), model="neighbour", plugin=path)
    assert row["caption"] == '"beside"'


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1 +\n", "SyntaxError: invalid syntax (my_models.py, line 3)"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name' (my_models.py, line 3)"),
        ("\nsys.exit(3)\n", "SystemExit: 3 (my_models.py, line 4)"),
        ("@register_model('blip')\nclass A: ...\n", "needs a method"),
    ],
)  # fmt: skip
def test_a_file_that_fails_is_one_line_with_its_line(code, words, plugin):
    path = plugin(code)
    with pytest.raises(ConfigError) as raised:
        load_plugins([str(path)])
    message = str(raised.value)
    assert message.startswith(f"the plug-in {path} cannot be used: ")
    assert words in message
    assert "\n" not in message


def test_a_file_that_is_not_there_or_no_python_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"the plug-in .*none\.py does not exist"):
        load_plugins([str(tmp_path / "none.py")])
    with pytest.raises(ConfigError, match=r"--plugin takes a Python file \(\.py\), not weights\.bin"):
        load_plugins(["weights.bin"])


def test_the_command_line_and_a_job_file_name_it(plugin, photos, tmp_path):
    path, folder = plugin(MODEL), photos(2)
    saved = cutline_here(
        *("caption", folder, tmp_path / "a.jsonl", "--model", "counted", "--plugin", path),
        *("--save-job", tmp_path / "job.toml"),
    )
    assert saved.returncode == 0, saved.stderr
    ran = program("run", tmp_path / "job.toml")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "a.jsonl").read_text().count("A caption.") >= 2
    told = (tmp_path / "job.toml").read_text()
    (tmp_path / "bare.toml").write_text(re.sub(r"plugin = \[.*?\]\n", "", told, flags=re.DOTALL))
    assert "names no provider" in program("run", tmp_path / "bare.toml").stderr
    assert program("run", tmp_path / "bare.toml", "--plugin", path).returncode == 0


def test_a_chain_and_a_comparison_ask_it(plugin, photos, tmp_path):
    path, folder = plugin(MODEL), photos(2)
    chained = program(
        *("caption", folder, tmp_path / "chain.jsonl", "--plugin", path),
        *("--step", "first=counted", "--step", "second=fake"),
    )
    assert chained.returncode == 0, chained.stderr
    (tmp_path / "chain.toml").write_text(
        '[[step]]\nname = "a"\nmodel = "fake"\n[[step]]\nname = "b"\nmodel = "counted"\nprompt = "More than {a}"\n'
    )
    ran = program(
        "caption", folder, tmp_path / "file.jsonl", "--plugin", path, "--chain", tmp_path / "chain.toml"
    )
    assert ran.returncode == 0, ran.stderr
    assert '"caption":"A caption."' in (tmp_path / "file.jsonl").read_text()
    compared = program(
        *("compare", "counted", "fake", "--input-path", folder, "--plugin", path),
        *("--output-path", tmp_path / "c.json"),
    )
    assert compared.returncode == 0, compared.stderr
    assert "counted" in compared.stdout


def test_a_chain_file_cannot_bring_code_along(plugin, photos, tmp_path):
    chain = tmp_path / "chain.toml"
    chain.write_text(f'[[step]]\nname = "a"\nmodel = "counted"\nplugin = ["{plugin(MODEL)}"]\n')
    done = cutline_here("caption", photos(1), tmp_path / "a.jsonl", "--chain", chain)
    assert done.returncode == 2
    assert "no setting 'plugin'" in done.stderr


def test_a_model_is_checked_with_its_file(plugin):
    done = program("models", "check", "counted", "--plugin", plugin(MODEL))
    assert done.returncode == 0, done.stderr
    assert "counted replied" in done.stdout
