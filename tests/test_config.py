"""Which configuration holds for a file, what it says, and what is wrong with it."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lint_sessions.config import EXCLUDE, Config, ConfigError, Configs, Selection, toml
from lint_sessions.finding import Safety

KNOWN = (("LS000", "invalid-syntax"), ("LS101", "yield-without-finally"), ("LS301", "unclosed-session"))


def configured(folder: Path, text: str) -> Config:
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return Configs().of_folder(folder)


def selected(config: Config, path: Path | None = None) -> list[str]:
    rules = (("LS101", "yield-without-finally", True), ("LS301", "unclosed-session", True), ("LS404", "odd", False))
    file = path or config.root / "app.py"
    return [code for code, name, default in rules if config.selects(code, name, default, file)]


def test_everything_can_be_configured(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        """
        [tool.lint-sessions]
        select = ["LS1"]
        extend-ignore = ["LS103"]
        ignore = ["LS102"]
        extend-select = ["LS301"]
        exclude = ["old"]
        extend-exclude = ["*_pb2.py"]
        per-file-ignores = { "tests/*" = ["LS301"] }
        extend-per-file-ignores = { "tests/*" = ["LS302"] }
        factories = ["make_db", "app.db.Local"]
        providers = ["db"]
        fastapi-version = "0.115"
        extend-safe-fixes = ["LS102"]
        extend-unsafe-fixes = ["ALL"]
        owners = { commit = ["services/"], open = ["db.py"] }
        """,
    )
    assert config == Config(
        root=tmp_path,
        file=tmp_path / "pyproject.toml",
        select=("LS1",),
        ignore=("LS102", "LS103"),
        extend_select=("LS301",),
        exclude=("old",),
        extend_exclude=("*_pb2.py",),
        per_file_ignores=(("tests/*", ("LS301",)), ("tests/*", ("LS302",))),
        factories=("make_db", "app.db.Local"),
        providers=("db",),
        fastapi_version="0.115",
        extend_safe_fixes=("LS102",),
        extend_unsafe_fixes=("ALL",),
        owners=(("commit", ("services/",)), ("open", ("db.py",))),
    )
    assert {config} == {config}


class TestNearest:
    def test_the_nearest_table_holds(self, tmp_path: Path) -> None:
        inner = tmp_path / "services" / "a"
        (inner / "app").mkdir(parents=True)
        configured(tmp_path, "[tool.lint-sessions]\nignore = ['LS1']")
        configured(inner, "[tool.lint-sessions]\nignore = ['LS3']")
        configs = Configs()
        assert configs.of_file(inner / "app" / "x.py").ignore == ("LS3",)
        assert configs.of_file(tmp_path / "services" / "x.py").ignore == ("LS1",)
        assert configs.of_folder(inner).root == inner

    def test_a_pyproject_that_does_not_speak_of_us_is_passed_by(self, tmp_path: Path) -> None:
        inner = tmp_path / "inner"
        inner.mkdir()
        configured(tmp_path, "[tool.lint-sessions]\nignore = ['LS1']")
        assert configured(inner, "[tool.ruff]\nline-length = 100").ignore == ("LS1",)

    def test_our_own_file_needs_no_table_and_goes_first(self, tmp_path: Path) -> None:
        (tmp_path / "lint-sessions.toml").write_text("ignore = ['LS3']", "utf-8")
        config = configured(tmp_path, "[tool.lint-sessions]\nignore = ['LS1']")
        assert (config.ignore, config.file) == (("LS3",), tmp_path / "lint-sessions.toml")
        (tmp_path / ".lint-sessions.toml").write_text("ignore = ['LS5']", "utf-8")
        assert Configs().of_folder(tmp_path).file == tmp_path / ".lint-sessions.toml"

    @pytest.mark.parametrize("mark", [".git", "setup.cfg", "setup.py", "pyproject.toml"])
    def test_without_a_table_the_root_is_the_project(self, tmp_path: Path, mark: str) -> None:
        folder = tmp_path / "src" / "app"
        folder.mkdir(parents=True)
        (tmp_path / mark).touch()
        assert Configs().of_folder(folder) == Config(tmp_path)

    def test_without_any_mark_the_root_is_the_current_folder_or_the_given_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inner = tmp_path / "here" / "app"
        inner.mkdir(parents=True)
        other = tmp_path / "other"
        monkeypatch.chdir(tmp_path / "here")
        assert Configs().of_file(inner / "x.py", inner).root == tmp_path / "here"
        assert Configs().of_file(other / "deep" / "x.py", other).root == other
        assert Configs().of_file(other / "deep" / "x.py").root == other / "deep"

    def test_isolated_reads_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text("no TOML at all", "utf-8")
        config = Configs(isolated=True).of_folder(tmp_path)
        assert config == Config(tmp_path, isolated=True)
        assert config.exclude == EXCLUDE

    def test_a_byte_order_mark_is_no_error(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_bytes(b"\xef\xbb\xbf[tool.lint-sessions]\nignore = ['LS1']")
        assert Configs().of_folder(tmp_path).ignore == ("LS1",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[tool.lint-sessions]\nextend_select = []", "did you mean `extend-select`?", id="underscore"),
        pytest.param("[tool.lint-sessions]\nslect = []", "unknown key `slect`; did you mean `select`?", id="typo"),
        pytest.param("[tool.lint-sessions]\nzzz = 1", "unknown key `zzz`", id="nothing-close"),
        pytest.param(
            "[tool.lint-sessions]\nselect = 'LS'", "`select` must be a list of strings, not a string", id="str"
        ),
        pytest.param("[tool.lint-sessions]\nignore = [1]", "not a list with a number in it", id="list"),
        pytest.param("[tool.lint-sessions]\nper-file-ignores = ['x']", "must be a table of patterns", id="table"),
        pytest.param("[tool.lint-sessions.per-file-ignores]\n'a' = 'LS1'", "at 'a' must be a list", id="pattern"),
        pytest.param("[tool.lint-sessions]\nfactories = ['a b']", "must hold Python names, not 'a b'", id="name"),
        pytest.param("[tool.lint-sessions]\nowners = ['x']", "`owners` must be a table", id="owners"),
        pytest.param("[tool.lint-sessions.owners]\ncomit = []", "did you mean `commit`?", id="owners-key"),
        pytest.param(
            "[tool.lint-sessions.owners]\nopen = 'x'", "at `open` must be a list of strings", id="owners-list"
        ),
        pytest.param("[tool]\nlint-sessions = 1", "`tool.lint-sessions` must be a table", id="no-table"),
        pytest.param("[tool", "is not valid TOML: ", id="broken"),
    ],
)
def test_an_error_is_one_line_that_names_the_file(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    message = str(caught.value)
    assert re.match(rf"{re.escape(str(tmp_path / 'pyproject.toml'))}(:\d+)?: ", message)
    assert says in message
    assert "\n" not in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_undecodable_and_unreadable_files_are_errors(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_bytes(b"# \xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        Configs().of_folder(tmp_path)
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        Configs().of_folder(tmp_path)


class TestSelects:
    @pytest.mark.parametrize(
        ("config", "codes"),
        [
            pytest.param(Config(Path()), "LS101 LS301", id="defaults"),
            pytest.param(Config(Path(), select=("ALL",)), "LS101 LS301 LS404", id="all"),
            pytest.param(Config(Path(), select=("LS3",)), "LS301", id="prefix"),
            pytest.param(Config(Path(), select=("unclosed-session",)), "LS301", id="name"),
            pytest.param(Config(Path(), select=()), "", id="nothing"),
            pytest.param(Config(Path(), ignore=("LS3",)), "LS101", id="ignore"),
            pytest.param(Config(Path(), ignore=("ALL",)), "", id="ignore-all"),
            pytest.param(Config(Path(), extend_select=("LS404",)), "LS101 LS301 LS404", id="extend"),
            pytest.param(Config(Path(), extend_select=("odd",)), "LS101 LS301 LS404", id="extend-name"),
            pytest.param(Config(Path(), select=("LS3",), ignore=("LS301",)), "", id="ignore-is-closer"),
            pytest.param(Config(Path(), select=("LS301",), ignore=("LS3",)), "LS301", id="select-is-closer"),
            pytest.param(Config(Path(), select=("LS301",), ignore=("unclosed-session",)), "", id="equal"),
            pytest.param(Config(Path(), ignore=("LS",), extend_select=("LS1",)), "LS101", id="extend-is-closer"),
        ],
    )
    def test_the_closer_selector_wins(self, config: Config, codes: str) -> None:
        assert selected(config) == codes.split()

    @pytest.mark.parametrize(
        ("command", "codes"),
        [
            pytest.param(Selection(), "LS301", id="nothing-said"),
            pytest.param(Selection(select=("LS1",)), "LS101", id="select-starts-anew"),
            pytest.param(Selection(ignore=("LS3",)), "", id="ignore-wins-over-the-file"),
            pytest.param(Selection(extend_select=("LS1",)), "LS101 LS301", id="extend-wins-over-the-file"),
        ],
    )
    def test_the_command_line_stands_above_the_file(self, command: Selection, codes: str) -> None:
        config = Config(Path(), select=("LS301",), ignore=("LS101",), command=command)
        assert selected(config) == codes.split()

    @pytest.mark.parametrize(
        ("pattern", "path", "codes"),
        [
            pytest.param("tests/*", "tests/unit/test_x.py", "LS101", id="folder"),
            pytest.param("test_*.py", "a/b/test_x.py", "LS101", id="name-anywhere"),
            pytest.param("**/db/*.py", "a/db/x.py", "LS101", id="stars"),
            pytest.param("tests/*", "app/tests.py", "LS101 LS301", id="elsewhere"),
            pytest.param("!app/*", "tests/x.py", "LS101", id="all-but"),
            pytest.param("!app/*", "app/x.py", "LS101 LS301", id="the-but"),
        ],
    )
    def test_per_file_ignores(self, tmp_path: Path, pattern: str, path: str, codes: str) -> None:
        config = Config(tmp_path, per_file_ignores=((pattern, ("LS3",)),))
        assert selected(config, tmp_path / path) == codes.split()

    def test_patterns_are_for_the_project_only(self, tmp_path: Path) -> None:
        config = Config(tmp_path / "project", per_file_ignores=(("*.py", ("ALL",)),), extend_exclude=("*.py",))
        assert selected(config, tmp_path / "other.py") == ["LS101", "LS301"]
        assert not config.excludes(tmp_path / "other.py")


def test_excludes(tmp_path: Path) -> None:
    config = Config(tmp_path, extend_exclude=("migrations", "/generated/*_pb2.py", "!keep.py"))
    excluded = ["node_modules/x.py", "a/.venv/x.py", "app/migrations/0001.py", "generated/x_pb2.py"]
    kept = ["app/x.py", "app/generated/x_pb2.py", "app/builder.py"]
    assert [path for path in (*excluded, *kept) if config.excludes(tmp_path / path)] == excluded


class TestSelectors:
    @pytest.mark.parametrize("selector", ["ALL", "LS", "LS3", "LS30", "LS301", "unclosed-session", "LS0"])
    def test_known(self, selector: str) -> None:
        Config(Path(), select=(selector,), command=Selection(ignore=(selector,))).check_selectors(KNOWN)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            pytest.param(
                "select = ['LS9']", "`select`: no rule is named `LS9`; `lint-sessions rules` lists all", id="prefix"
            ),
            pytest.param("ignore = ['E501']", "`ignore`: no rule is named `E501`", id="another-tool"),
            pytest.param("ignore = ['LS310']", "did you mean `LS301`?", id="code"),
            pytest.param("ignore = ['ls301']", "did you mean `LS301`?", id="case"),
            pytest.param("ignore = ['unclosed_session']", "did you mean `unclosed-session`?", id="name"),
            pytest.param("extend-ignore = ['X']", "`extend-ignore`: no rule", id="extend-ignore"),
            pytest.param("per-file-ignores = {'a' = ['X']}", "`per-file-ignores.'a'`", id="per-file"),
            pytest.param("extend-safe-fixes = ['LS9']", "`extend-safe-fixes`", id="safe-fixes"),
            pytest.param("extend-unsafe-fixes = ['LS9']", "`extend-unsafe-fixes`", id="unsafe-fixes"),
        ],
    )
    def test_unknown(self, tmp_path: Path, text: str, says: str) -> None:
        with pytest.raises(ConfigError) as caught:
            configured(tmp_path, f"[tool.lint-sessions]\n\n{text}").check_selectors(KNOWN)
        assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}:3: ")
        assert says in str(caught.value)

    @pytest.mark.parametrize("key", ["select", "ignore", "extend_select"])
    def test_unknown_on_the_command_line(self, key: str) -> None:
        config = Config(Path(), command=replace(Selection(), **{key: ("LS9",)}))
        with pytest.raises(ConfigError, match=f"command line: `--{key.replace('_', '-')}`: no rule is named `LS9`"):
            config.check_selectors(KNOWN)

    def test_the_file_that_is_extended_is_the_one_to_blame(self, tmp_path: Path) -> None:
        (tmp_path / "base.toml").write_text("# ours\n\nignore = [\n  'E501'\n]\n", "utf-8")
        config = configured(tmp_path, "[tool.lint-sessions]\nextend = 'base.toml'")
        with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / 'base.toml'}:3: `ignore`")):
            config.check_selectors(KNOWN)


class TestExtend:
    @pytest.fixture
    def inner(self, tmp_path: Path) -> Path:
        folder = tmp_path / "services" / "users"
        folder.mkdir(parents=True)
        return folder

    def test_the_nearer_replaces_and_what_extends_adds_up(self, tmp_path: Path, inner: Path) -> None:
        (tmp_path / "base.toml").write_text(
            """
            select = ["LS3"]
            ignore = ["LS301"]
            extend-ignore = ["LS302"]
            extend-select = ["LS101"]
            exclude = ["base"]
            extend-exclude = ["base_too"]
            per-file-ignores = { a = ["LS1"] }
            extend-per-file-ignores = { b = ["LS1"] }
            factories = ["make_db"]
            owners = { commit = ["services/"] }
            """,
            "utf-8",
        )
        config = configured(
            inner,
            """
            [tool.lint-sessions]
            extend = "../../base.toml"
            ignore = ["LS303"]
            extend-ignore = ["LS304"]
            extend-select = ["LS102"]
            extend-exclude = ["own"]
            extend-per-file-ignores = { c = ["LS1"] }
            owners = { open = ["db.py"] }
            """,
        )
        assert config == Config(
            root=inner,
            file=inner / "pyproject.toml",
            select=("LS3",),
            ignore=("LS303", "LS302", "LS304"),
            extend_select=("LS101", "LS102"),
            exclude=("base",),
            extend_exclude=("base_too", "own"),
            per_file_ignores=(("a", ("LS1",)), ("b", ("LS1",)), ("c", ("LS1",))),
            factories=("make_db",),
            owners=(("open", ("db.py",)),),
        )

    def test_through_several_files_of_all_names(self, tmp_path: Path, inner: Path) -> None:
        (tmp_path / "base.toml").write_text("extend-ignore = ['LS1']", "utf-8")
        configured(tmp_path, "[tool.lint-sessions]\nextend = './base.toml'\nextend-ignore = ['LS2']")
        (inner / "lint-sessions.toml").write_text(f"extend = '{tmp_path}/pyproject.toml'\nignore = ['LS3']", "utf-8")
        config = Configs().of_folder(inner)
        assert config.ignore == ("LS3", "LS1", "LS2")
        assert [said.place for said in config.said if said.key.name == "extend-ignore"] == [
            f"{tmp_path / 'base.toml'}:1",
            f"{tmp_path / 'pyproject.toml'}:3",
        ]

    def test_from_the_home_folder(self, tmp_path: Path, inner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        (tmp_path / "base.toml").write_text("ignore = ['LS1']", "utf-8")
        assert configured(inner, "[tool.lint-sessions]\nextend = '~/base.toml'").ignore == ("LS1",)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            pytest.param("extend = 'gone.toml'", "2: `extend` names {0}/gone.toml, which does not exist", id="missing"),
            pytest.param("extend = 'other/pyproject.toml'", "has no table [tool.lint-sessions]", id="no table"),
            pytest.param("extend = 'wrong.toml'", "{0}/wrong.toml:1: unknown key `x`", id="wrong"),
            pytest.param("extend = 'pyproject.toml'", "goes round in a circle", id="itself"),
            pytest.param("extend = 'circle.toml'", "{0}/circle.toml:1: `extend` goes round in a circle", id="circle"),
            pytest.param("extend = 1", '2: `extend` must name a file, not 1; for example: extend = "', id="number"),
            pytest.param("extend = 'folder'", "{0}/folder: cannot be read: ", id="folder"),
        ],
    )
    def test_what_cannot_be_extended_is_one_line(self, tmp_path: Path, text: str, says: str) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "folder").mkdir()
        (tmp_path / "other" / "pyproject.toml").write_text("[tool.ruff]", "utf-8")
        (tmp_path / "wrong.toml").write_text("x = 1", "utf-8")
        (tmp_path / "circle.toml").write_text("extend = './pyproject.toml'", "utf-8")
        with pytest.raises(ConfigError) as caught:
            configured(tmp_path, f"[tool.lint-sessions]\n{text}")
        assert says.format(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


class TestNamed:
    def test_it_holds_for_all_and_patterns_start_at_the_project(self, tmp_path: Path) -> None:
        app = tmp_path / "app"
        app.mkdir()
        (tmp_path / "ci.toml").write_text("extend = 'base.toml'\nextend-exclude = ['/old']", "utf-8")
        (tmp_path / "base.toml").write_text("ignore = ['LS1']", "utf-8")
        (app / "setup.py").touch()
        (app / "lint-sessions.toml").write_text("no TOML at all", "utf-8")
        config = Configs(file=tmp_path / "ci.toml").of_folder(app)
        assert (config.root, config.file, config.ignore) == (app, tmp_path / "ci.toml", ("LS1",))
        assert config.excludes(app / "old" / "x.py")

    @pytest.mark.parametrize(
        ("file", "says"), [("gone.toml", "gone.toml does not exist"), ("pyproject.toml", "has no table [tool.lint-")]
    )
    def test_what_holds_nothing_is_an_error(self, tmp_path: Path, file: str, says: str) -> None:
        (tmp_path / "pyproject.toml").touch()
        with pytest.raises(ConfigError, match=f"--config: .*{re.escape(says)}"):
            Configs(file=tmp_path / file).of_folder(tmp_path)


ROWS = """# [tool.lint-sessions]
[project]
name = "x"
description = '''
[tool.lint-sessions]
ignore = 1
'''

[tool]
other = [
  "[tool.lint-sessions]", # ]
]
[tool.lint-sessions] # here
select = [
  "LS1",

  "LS2",
]

"ignore" = []
owners.open = ["a",
 "b"]
  [tool.lint-sessions.per-file-ignores]
  "a" = []
[[tool.other-tools]]
x = 1
"""


@pytest.mark.parametrize(
    ("key", "row"), [("select", 14), ("ignore", 20), ("owners", 21), ("per-file-ignores", 23), ("exclude", None)]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_row_of_a_key(tmp_path: Path, key: str, row: int | None, newline: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_bytes(ROWS.replace("\n", newline).encode())
    assert toml.row(file, key) == row


class TestSafety:
    @pytest.mark.parametrize(
        ("safe", "unsafe", "given", "held"),
        [
            pytest.param((), (), Safety.SAFE, Safety.SAFE, id="as the rule says: safe"),
            pytest.param((), (), Safety.UNSAFE, Safety.UNSAFE, id="as the rule says: unsafe"),
            pytest.param(("LS301",), (), Safety.UNSAFE, Safety.SAFE, id="by code"),
            pytest.param((), ("unclosed-session",), Safety.SAFE, Safety.UNSAFE, id="by name"),
            pytest.param(("ALL",), (), Safety.UNSAFE, Safety.SAFE, id="all"),
            pytest.param(("LS1",), ("LS102",), Safety.SAFE, Safety.SAFE, id="another rule"),
            pytest.param(("LS301",), ("LS3",), Safety.UNSAFE, Safety.SAFE, id="the more specific selector wins"),
            pytest.param(("ALL",), ("LS3",), Safety.SAFE, Safety.UNSAFE, id="and the other way round"),
            pytest.param(("LS3",), ("LS3",), Safety.SAFE, Safety.UNSAFE, id="unsafe between equals"),
        ],
    )
    def test_held(self, safe: tuple[str, ...], unsafe: tuple[str, ...], given: Safety, held: Safety) -> None:
        config = Config(Path(), extend_safe_fixes=safe, extend_unsafe_fixes=unsafe)
        assert config.safety("LS301", "unclosed-session", given) is held


class TestOwners:
    CONFIG = Config(Path("/project"), owners=(("commit", ("services/", "!services/mail.py")), ("open", ())))

    @pytest.mark.parametrize(
        ("what", "path", "may"),
        [
            pytest.param("commit", "services/users.py", True, id="owner"),
            pytest.param("commit", "app/services/users.py", True, id="at any depth"),
            pytest.param("commit", "services/mail.py", False, id="taken out again"),
            pytest.param("commit", "routes.py", False, id="no owner"),
            pytest.param("open", "services/users.py", False, id="nobody"),
            pytest.param("rollback", "routes.py", True, id="not configured"),
        ],
    )
    def test_who_may(self, what: str, path: str, may: bool) -> None:
        assert self.CONFIG.may(what, self.CONFIG.root / path) is may
