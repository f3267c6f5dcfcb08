"""The map shows what the analysis knows of a project, in each of its forms."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from lint_sessions.cli import main
from lint_sessions.drawing import MOST
from lint_sessions.map.dot import dot
from lint_sessions.map.mermaid import mermaid
from lint_sessions.map.model import Act, Edge, Kind, Link, Map, Node

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

ROOT = Path(__file__).parents[1]
VENDOR = ROOT / "lint_sessions" / "map" / "vendor"
SHOP = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["fastapi>=0.121", "sqlalchemy>=2"]\n',
    "shop/__init__.py": "",
    "shop/db.py": """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite:///shop.db")
SessionLocal = sessionmaker(engine)


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
""",
    "shop/orders.py": """\
from sqlalchemy import text
from sqlalchemy.orm import Session


class Orders:
    def __init__(self, db: Session):
        self.db = db

    def add(self, order):
        self.db.add(order)
        self.db.commit()


def count(db: Session):
    return db.scalar(text("select count(*) from orders"))
""",
    "shop/api.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from shop.db import get_db
from shop.orders import Orders, count

app = FastAPI()


@app.post("/orders")
def create(order: dict, db: Session = Depends(get_db)):
    Orders(db).add(order)


@app.get("/orders")
def how_many(db: Session = Depends(get_db)):
    return count(db)


@app.get("/health")
def health():
    return "ok"
""",
    "shop/jobs.py": """\
from celery import shared_task

from shop.db import SessionLocal
from shop.orders import count


@shared_task
def report():
    db = SessionLocal()
    return count(db)
""",
    "tests/test_shop.py": "from shop.db import SessionLocal\n\n\ndef test():\n    SessionLocal().close()\n",
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, code in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(code, "utf-8")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, SHOP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drawn(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    assert main(["map", *options]) == 0
    return capsys.readouterr().out


def known(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    found = json.loads(drawn(capsys, "--output-format", "json", *options))
    assert isinstance(found, dict)
    return found


def missing(reason: str) -> NoReturn:
    """What a test takes is not there: a reason to skip it, but not in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


# --- what is on it ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
def test_definitions(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        (n["id"], n["kind"], n["row"], n["acts"], [f["code"] for f in n["findings"]]) for n in known(capsys)["nodes"]
    ]
    assert nodes == [
        ("shop/api.py:create", "route", 11, {}, []),
        ("shop/api.py:how_many", "route", 16, {}, []),
        ("shop/db.py:engine", "engine", 4, {}, []),
        ("shop/db.py:SessionLocal", "factory", 5, {}, []),
        ("shop/db.py:get_db", "provider", 8, {"opens": [9], "closes": [13]}, []),
        ("shop/jobs.py:report", "worker", 8, {"opens": [9]}, ["LS301"]),
        ("shop/orders.py:Orders", "class", 5, {"commits": [11]}, []),
        ("shop/orders.py:count", "function", 14, {}, []),
    ]


@pytest.mark.usefixtures("shop")
def test_edges(capsys: pytest.CaptureFixture[str]) -> None:
    edges = [(edge["from"], edge["link"], edge["to"]) for edge in known(capsys)["edges"]]
    assert edges == [
        ("shop/api.py:create", "lends", "shop/orders.py:Orders"),
        ("shop/api.py:how_many", "lends", "shop/orders.py:count"),
        ("shop/db.py:SessionLocal", "makes", "shop/db.py:get_db"),
        ("shop/db.py:SessionLocal", "makes", "shop/jobs.py:report"),
        ("shop/db.py:engine", "binds", "shop/db.py:SessionLocal"),
        ("shop/db.py:get_db", "provides", "shop/api.py:create"),
        ("shop/db.py:get_db", "provides", "shop/api.py:how_many"),
        ("shop/jobs.py:report", "lends", "shop/orders.py:count"),
    ]


@pytest.mark.parametrize(
    ("code", "acts", "links"),
    [
        ("    with SessionLocal() as db:\n        db.commit()", {"opens", "commits", "closes"}, {"makes"}),
        ("    with SessionLocal.begin() as db:\n        db.info", {"opens", "commits", "closes"}, {"makes"}),
        ("    with contextmanager(get_db)() as db:\n        db.rollback()", {"rolls back"}, {"provides"}),
        ("    db = next(get_db())\n    db.close()", {"closes"}, {"provides"}),
        ("    def inner():\n        return SessionLocal()\n    return inner", {"opens"}, {"makes"}),
        ("    return unknown(SessionLocal)", set(), set()),
    ],
)
def test_what_a_function_does(
    code: str, acts: set[str], links: set[str], shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "from contextlib import contextmanager\n\nfrom shop.db import SessionLocal, get_db"
    (shop / "shop" / "one.py").write_text(f"{head}\n\n\ndef one():\n{code}\n", "utf-8")
    found = known(capsys)
    nodes = [node for node in found["nodes"] if node["name"] == "one"]
    assert [set(node["acts"]) for node in nodes] == ([acts] if acts or links else [])
    assert {edge["link"] for edge in found["edges"] if edge["to"] == "shop/one.py:one"} == links


def test_dependencies_by_alias_and_of_dependencies(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "from typing import Annotated\n\nfrom fastapi import APIRouter, Depends\nfrom sqlalchemy.orm import Session\n\n"
        "from shop.db import get_db\nfrom shop.orders import Orders\n\nDb = Annotated[Session, Depends(get_db)]\n"
        "router = APIRouter()\n\n\ndef get_orders(db: Db) -> Orders:\n    return Orders(db)\n\n\n"
        '@router.get("/")\ndef read(orders: Orders = Depends(get_orders)):\n    return orders\n\n\n'
        'def get_user(db: Db):\n    return db.info["user"]\n\n\n@router.get("/me")\ndef me(user=Depends(get_user)):\n    return user\n'
    )
    (shop / "shop" / "more.py").write_text(code, "utf-8")
    found = known(capsys)
    edges = {
        (edge["from"].partition(":")[2], edge["to"].partition(":")[2])
        for edge in found["edges"]
        if edge["link"] == "provides" and edge["to"].startswith("shop/more.py")
    }
    assert edges == {("get_db", "get_orders"), ("get_orders", "read"), ("get_db", "get_user")}
    kinds = {node["name"]: node["kind"] for node in found["nodes"]}
    assert (kinds["get_orders"], kinds["get_user"]) == ("provider", "function")
    assert "me" not in kinds, "no session comes to it"


def test_several_names_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = SHOP["shop/db.py"].replace(
        'engine = create_engine("sqlite:///shop.db")\nSessionLocal = sessionmaker(engine)\n',
        "\n\ndef make(url):\n    engine = create_engine(url)\n    return sessionmaker(engine), engine\n\n\n"
        'SessionLocal, engine = make("sqlite:///shop.db")\n',
    )
    (tmp_path / "db.py").write_text(code, "utf-8")
    found = known(capsys, str(tmp_path))
    assert {node["name"]: node["kind"] for node in found["nodes"]} == {
        "SessionLocal": "factory",
        "engine": "engine",
        "get_db": "provider",
    }
    assert [(edge["from"], edge["link"]) for edge in found["edges"]] == [
        ("db.py:SessionLocal", "makes"),
        ("db.py:engine", "binds"),
    ]


SOURCES = """\
from apscheduler.schedulers.background import BackgroundScheduler
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from threading import Thread

from shop.db import SessionLocal, engine, get_db
"""


@pytest.mark.parametrize(
    ("code", "nodes", "edges"),
    [
        (
            "def on_engine():\n    with Session(engine) as db:\n        db.commit()",
            {"on_engine: function, opens commits closes"},
            {"engine makes on_engine"},
        ),
        (
            "Registry = scoped_session(SessionLocal)\n\n\ndef use():\n    Registry.commit()\n    Registry.remove()",
            {"Registry: factory, ", "use: function, commits closes"},
            {"SessionLocal makes Registry", "Registry makes use"},
        ),
        (
            "Registry = scoped_session(sessionmaker(bind=engine))",
            {"Registry: factory, "},
            {"engine binds Registry"},
        ),
        (
            "shared = SessionLocal()\n\n\ndef use():\n    return shared.info",
            {"shared: session, opens", "use: function, "},
            {"SessionLocal makes shared", "shared provides use"},
        ),
        (
            "class Base:\n    db: Session = Depends(get_db)\n    limit: int = 3",
            {"Base: class, "},
            {"get_db provides Base"},
        ),
        (
            (
                "class Database:\n    def __init__(self, url):\n        self.engine = create_engine(url)\n"
                "        self.maker = sessionmaker(self.engine)\n\n    def open(self):\n        return self.maker()"
            ),
            {"Database: class, opens", "Database.engine: engine, ", "Database.maker: factory, "},
            {"Database.engine binds Database.maker", "Database.maker makes Database"},
        ),
        (
            "def make_engine():\n    return create_engine('sqlite://')\n\n\nLocal = sessionmaker(make_engine())",
            {"Local: factory, ", "make_engine: engine, "},
            {"make_engine binds Local"},
        ),
        (
            (
                "def save(db):\n    store(db)\n\n\ndef store(it):\n    it.commit()\n\n\ndef other(it):\n    it.commit()"
                "\n\n\ndef user(db: Session):\n    save(db)"
            ),
            {"user: function, ", "save: function, ", "store: function, commits"},
            {"user lends save", "save lends store"},
        ),
        (
            (
                "def mail(db: Session):\n    db.commit()\n\n\ndef user(later: BackgroundTasks, db: Session):\n"
                "    later.add_task(mail, db=db)"
            ),
            {"mail: worker, commits", "user: function, "},
            {"user lends mail"},
        ),
        (
            "def nightly():\n    SessionLocal().close()\n\n\njobs = BackgroundScheduler()\njobs.add_job(nightly, 'cron')",
            {"nightly: worker, opens closes"},
            {"SessionLocal makes nightly"},
        ),
        (
            "def run():\n    SessionLocal().close()\n\n\ndef start():\n    Thread(target=run).start()",
            {"run: worker, opens closes"},
            {"SessionLocal makes run"},
        ),
        (
            "own = Flask(__name__)\n\n\n@own.route('/')\ndef page():\n    SessionLocal().close()",
            {"page: route, opens closes"},
            {"SessionLocal makes page"},
        ),
    ],
)
def test_ways_of_a_session(
    code: str, nodes: set[str], edges: set[str], shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "shop" / "one.py").write_text(f"{SOURCES}\n\n{code}\n", "utf-8")
    found = known(capsys)
    here = [node for node in found["nodes"] if node["module"] == "shop/one.py"]
    assert {f"{node['name']}: {node['kind']}, {' '.join(node['acts'])}" for node in here} == nodes
    ids = {node["id"] for node in here}
    drawn = [edge for edge in found["edges"] if {edge["from"], edge["to"]} & ids]
    names = {node["id"]: node["name"] for node in found["nodes"]}
    assert {f"{names[edge['from']]} {edge['link']} {names[edge['to']]}" for edge in drawn} == edges


@pytest.mark.parametrize(
    ("decorator", "route"),
    [
        ('@router.get("/")', "GET /v1/"),
        ('@router.api_route("/x", methods=["GET", "PUT"])', "GET/PUT /v1/x"),
        ('@own.route("/y")', "/y"),
        ('@own.route("/y", methods=["POST"])', "POST /y"),
        ("@router.get(path)", None),
    ],
)
def test_what_a_route_answers(
    decorator: str, route: str | None, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = f"{SOURCES}\nrouter = APIRouter(prefix='/v1')\nown = Flask(__name__)\n"
    (shop / "shop" / "one.py").write_text(f"{head}\n\n{decorator}\ndef one():\n    SessionLocal().close()\n", "utf-8")
    (node,) = [node for node in known(capsys)["nodes"] if node["name"] == "one"]
    assert (node["kind"], node.get("route")) == ("route", route)


def test_modules_that_do_not_speak_of_sessions(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By their own words neither has to do with any."""
    (shop / "shop" / "user.py").write_text(
        "from shop.db import get_db\nfrom shop.helper import save\n\n\ndef use():\n    save(next(get_db()))\n", "utf-8"
    )
    (shop / "shop" / "helper.py").write_text("def save(it):\n    it.commit()\n", "utf-8")
    found = known(capsys)
    assert {node["id"]: list(node["acts"]) for node in found["nodes"] if node["name"] in ("use", "save")} == {
        "shop/user.py:use": [],
        "shop/helper.py:save": ["commits"],
    }
    edges = {(edge["from"], edge["link"], edge["to"]) for edge in found["edges"]}
    assert ("shop/db.py:get_db", "provides", "shop/user.py:use") in edges
    assert ("shop/user.py:use", "lends", "shop/helper.py:save") in edges


def test_of_two_engines_neither_is_meant(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "def make(url):\n    return create_engine(url)\n\n\none = make('a')\ntwo = make('b')\nLocal = sessionmaker(make('c'))"
    (shop / "shop" / "one.py").write_text(f"{SOURCES}\n\n{code}\n", "utf-8")
    assert [edge for edge in known(capsys)["edges"] if "shop/one.py" in edge["to"]] == []


def test_a_file_that_cannot_be_parsed(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "shop" / "broken.py").write_text(
        "from sqlalchemy import create_engine\n\n\ndef broken(:\n    create_engine()\n", "utf-8"
    )
    assert main(["map", "--output-format", "json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [f["code"] for node in found["nodes"] if node["module"] == "shop/broken.py" for f in node["findings"]] == [
        "LS000"
    ]
    assert len(found["nodes"]) == 9
    assert re.fullmatch(r"lint-sessions: shop/broken\.py:4: the file can't be parsed: [^\n]+\n", err)


# --- forms ------------------------------------------------------------------------------------------------------------


def test_the_example_in_the_documentation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "map.md").read_text("utf-8")
    ((code, drawing),) = re.findall(r"```python\n(.*?)```.*?```mermaid\n(.*?)```", text, re.DOTALL)
    (tmp_path / "app.py").write_text(code, "utf-8")
    assert drawn(capsys, "--output-format", "mermaid", "--isolated", str(tmp_path / "app.py")) == drawing


def awkward() -> Map:
    nodes = [
        Node('m.py:a"<#', Kind.FUNCTION, 'a"<#', "m.py", 1, ((Act.OPENS, (1,)), (Act.COMMITS, (2, 3)))),
        Node("n\\.py:b", Kind.ENGINE, "b", "n\\.py", 2),
    ]
    return Map.of(nodes, [Edge(nodes[1].id, nodes[0].id, Link.MAKES), Edge(nodes[0].id, "gone", Link.LENDS)])


def test_names_are_quoted() -> None:
    assert '["a#quot;#lt;#35;<br/>opens, commits"]' in mermaid(awkward())
    route = Node("m.py:r", Kind.ROUTE, "r", "m.py", 1, route="GET /a&amp;")
    assert "GET /a#amp;amp;" in mermaid(Map.of([route], []))
    assert r'"n\\.py:b" -> "m.py:a\"<#" [label=makes style=bold]' in dot(awkward())
    assert r'"m.py:a\"<#" [label="a\"<#\nopens, commits" shape=box]' in dot(awkward())
    assert "gone" not in mermaid(awkward()) + dot(awkward())


def test_graphviz_reads_it(tmp_path: Path) -> None:
    if shutil.which("dot") is None:
        missing("Graphviz is not installed")
    (tmp_path / "map.dot").write_text(dot(awkward()), "utf-8")
    drawn = subprocess.run(["dot", "-Tsvg", tmp_path / "map.dot"], capture_output=True, text=True, check=True)
    assert drawn.stderr == ""
    assert "opens, commits" in drawn.stdout


@pytest.mark.usefixtures("shop")
def test_modules(capsys: pytest.CaptureFixture[str]) -> None:
    told = drawn(capsys, "--output-format", "mermaid", "--by", "module")
    assert "shop/db.py<br/>1 engine, 1 factory, 1 provider" in told
    assert "shop/jobs.py<br/>1 worker<br/>LS301" in told
    assert "subgraph" not in told
    assert len(re.findall("provides", told)) == 1, "one edge from module to module"


def test_many_definitions_are_drawn_by_module(big: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("mermaid", "dot"):
        told = drawn(capsys, "--output-format", form, "--isolated", str(big))
        assert len(told.splitlines()) < MOST
        assert "20 routes" in told
    assert "route_3_7" in drawn(capsys, "--output-format", "mermaid", "--by", "definition", "--isolated", str(big))


def test_the_page_stands_alone(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = drawn(capsys)
    assert said == "Wrote session-map.html: 8 definitions in 4 modules, 1 problem.\n"
    text = (shop / "session-map.html").read_text("utf-8")
    assert "default-src 'none'" in text
    own = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(src|href)=|@import|url\(", own)
    assert text.count("<script") == text.count("</script>") == 4
    (shop / "shop" / "evil.py").write_text(
        "from shop.db import SessionLocal\n\n\ndef evil():\n    db = SessionLocal()\n    db.scalar('</script><b>')\n",
        "utf-8",
    )
    drawn(capsys, "-o", "page.html")
    assert (shop / "page.html").read_text("utf-8").count("</script>") == 4


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["nowhere"], 2, "nowhere"),
        (["--config", "none.toml"], 2, "none.toml"),
        (["empty"], 2, "no Python files here"),
        (["--output-file", "nowhere/map.html"], 2, "nowhere/map.html: could not be written"),
    ],
)
def test_what_cannot_be_drawn(
    options: list[str], status: int, says: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "empty").mkdir()
    assert main(["map", *options]) == status
    assert says in capsys.readouterr().err


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A project of 500 routes in 25 modules."""
    write(tmp_path, {name: code for name, code in SHOP.items() if name in ("shop/__init__.py", "shop/db.py")})
    for module in range(25):
        routes = "".join(
            f'\n\n@router.get("/{n}")\ndef route_{module}_{n}(db: Session = Depends(get_db)):\n    return db.info\n'
            for n in range(20)
        )
        head = (
            "from fastapi import APIRouter, Depends\nfrom sqlalchemy.orm import Session\n\nfrom shop.db import get_db\n"
        )
        write(tmp_path, {f"shop/api/part_{module}.py": f"{head}\nrouter = APIRouter()\n{routes}"})
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        missing("no Chromium with its driver is installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


def opened(browser: Chrome, capsys: pytest.CaptureFixture[str], project: Path) -> None:
    drawn(capsys, "--isolated", "-o", str(project / "map.html"), str(project))
    browser.get((project / "map.html").as_uri())


def shown(browser: Chrome) -> list[str]:
    found = browser.execute_script("return sessionMap.cy.nodes(':childless').map((node) => node.data('label'))")
    assert isinstance(found, list)
    return found


def names(browser: Chrome) -> set[str]:
    return {label.partition("\n")[0] for label in shown(browser)}


def pictured(browser: Chrome, name: str) -> None:
    """Keep a picture, for somebody to look at, where that is asked for; a page that is blank has few colours."""
    picture = browser.get_screenshot_as_png()
    assert len(picture) > 10_000
    if (folder := os.environ.get("LINT_SESSIONS_PICTURES")) is not None:
        Path(folder, f"{name}.png").write_bytes(picture)


def requested(browser: Chrome) -> list[str]:
    """What the browser has asked for since this was asked last."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]  # type: ignore[no-untyped-call]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


def test_a_browser_shows_it(browser: Chrome, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened(browser, capsys, shop)
    assert "Orders\ncommits" in shown(browser)
    assert "report\njobs.py\nopens\nLS301" in shown(browser)
    assert "create\nPOST /orders" in shown(browser)
    red = browser.execute_script("return sessionMap.cy.nodes('[red=1]').map((node) => node.id())")
    assert red == ["shop/jobs.py:report"]
    panel = browser.find_element("id", "findings").text
    assert panel.startswith("1 finding\nLS301 ")
    assert "shop/jobs.py:9" in panel
    pictured(browser, "small")
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert requested(browser) == [(shop / "map.html").as_uri()], "the page alone"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_by_day_and_by_night(
    browser: Chrome, shop: Path, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    opened(browser, capsys, shop)
    colours = browser.execute_script(
        "const node = sessionMap.cy.nodes('[kind=\"route\"]')[0], parse = (text) => text.match(/\\d+/g).map(Number);"
        "return [parse(node.style('color')), parse(node.style('background-color')), parse(getComputedStyle(document.body).backgroundColor)]"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    text, box, page = (sum(colour[:3]) / 3 for colour in colours)
    assert (page > 200, box > 150) == ((True, True) if scheme == "light" else (False, False))
    assert abs(text - box) > 100, "it can be read"


def test_a_browser_zooms(browser: Chrome, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    opened(browser, capsys, shop)

    def zoom() -> float:
        return float(browser.execute_script("return sessionMap.cy.zoom()"))

    first = zoom()
    browser.find_element("id", "in").click()
    nearer = zoom()
    browser.find_element("id", "out").click()
    assert nearer > first > zoom() - 0.01
    graph = ScrollOrigin.from_element(browser.find_element("id", "graph"))
    ActionChains(browser).scroll_from_origin(graph, 0, -300).perform()
    assert zoom() > first


def test_a_browser_leaves_what_has_no_findings(browser: Chrome, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened(browser, capsys, shop)
    browser.find_element("id", "red").click()
    assert names(browser) == {"engine", "SessionLocal", "report"}, "where the session of the finding comes from"


def test_a_browser_searches_and_follows(browser: Chrome, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened(browser, capsys, shop)
    box = browser.find_element("id", "search")
    box.send_keys("orders class\n")
    assert browser.find_element("id", "results").text.startswith("1 match\nOrders class, shop/orders.py")
    assert browser.find_element("id", "detail").text.splitlines() == [
        "Orders",
        "class, shop/orders.py:5",
        "commits in row 11",
        "create lends it",
    ]
    chosen = browser.execute_script("return sessionMap.cy.nodes('.chosen').map((node) => node.id())")
    assert chosen == ["shop/orders.py:Orders"]
    faded = browser.execute_script("return sessionMap.cy.nodes('.far').map((node) => node.id())")
    assert "shop/api.py:how_many" in faded
    assert "shop/db.py:engine" not in faded, "its session comes from there"


def test_a_browser_opens_and_closes_what_is_large(
    browser: Chrome, big: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(browser, capsys, big)
    assert len(shown(browser)) <= 40
    assert "part_3.py\n20 routes" in shown(browser)
    browser.execute_script("sessionMap.toggle('shop/api/part_3.py')")
    assert {"route_3_0", "route_3_19"} <= names(browser)
    assert "route_4_0" not in names(browser)
    pictured(browser, "big")
    browser.execute_script("sessionMap.toggle('shop/api/part_3.py')")
    assert "route_3_0" not in names(browser)
    browser.find_element("id", "open").click()
    assert len(shown(browser)) == 503
    browser.find_element("id", "close").click()
    assert len(shown(browser)) < 10
    browser.find_element("id", "search").send_keys("route_24_19\n")
    assert "route_24_19" in names(browser)
    spread = browser.execute_script("return sessionMap.cy.nodes(':childless').boundingBox()")
    assert spread["w"] > 0
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_a_browser_begins_where_sessions_come_from(
    browser: Chrome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many folders in folders: what makes sessions is seen, the words can be read, and no box lies on another."""
    files = {"shop/core/db/base.py": SHOP["shop/db.py"]}
    head = "from shop.core.db.base import get_db\n"
    for area in range(20):
        for part in range(4):
            code = "".join(f"\n\ndef use_{n}():\n    db = next(get_db())\n    db.close()\n" for n in range(3))
            files[f"shop/area_{area}/deep_{part}/work.py"] = head + code
            files[f"shop/area_{area}/deep_{part}/more.py"] = head + code
    write(tmp_path, files)
    opened(browser, capsys, tmp_path)
    assert {"engine", "SessionLocal", "get_db"} <= names(browser)
    assert len(shown(browser)) <= 30
    assert browser.execute_script("return sessionMap.cy.zoom()") >= 0.5
    overlapping = """
      const boxes = sessionMap.cy.nodes(':parent'), found = [];
      const meet = (a, b) => a.x1 < b.x2 - 1 && b.x1 < a.x2 - 1 && a.y1 < b.y2 - 1 && b.y1 < a.y2 - 1;
      boxes.forEach((one) => boxes.forEach((other) => {
        const apart = one.id() < other.id() && !one.ancestors().has(other) && !other.ancestors().has(one);
        if (apart && meet(one.boundingBox(), other.boundingBox())) found.push([one.id(), other.id()]);
      }));
      return found;"""
    assert browser.execute_script(overlapping) == []


def test_what_is_shipped_is_what_was_published() -> None:
    told = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    sums = dict(re.findall(r"`(cytoscape[\w.-]*\.js)`[^\n]*`sha256:([0-9a-f]{64})`", told))
    assert sorted(sums) == sorted(path.name for path in VENDOR.glob("*.js"))
    for name, digest in sums.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
