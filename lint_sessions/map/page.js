"use strict";
// What is drawn: a folder or module that is closed is one node, one that is open a box with what is in it.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const nodes = new Map(data.nodes.map((node) => [node.id, node]));
  const FEW = [30, 20, 12]; // boxes and definitions that are shown at once: the most that can be read
  const READABLE = 0.5; // the zoom at which words still can be
  const KINDS = ["engine", "factory", "session", "provider", "route", "worker", "class", "function"];
  let onlyRed = false;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const $ = (id) => document.getElementById(id);

  // --- folders and modules -------------------------------------------------------------------------------------

  const groups = new Map(); // by id
  const home = new Map(); // the group of each node
  const files = new Map(); // the file of a node that stands for its module
  function group(id, label, parent) {
    if (!groups.has(id)) {
      groups.set(id, { id, label, parent, groups: [], nodes: [], all: [] });
      if (parent) parent.groups.push(groups.get(id));
    }
    return groups.get(id);
  }
  const root = group("", "", null);
  for (const node of data.nodes) {
    const parts = node.module.split("/");
    if (node.kind === "module") parts.pop(); // drawn itself
    let at = root;
    parts.forEach((part, depth) => (at = group(parts.slice(0, depth + 1).join("/"), part, at)));
    at.nodes.push(node);
    home.set(node.id, at);
    for (let outer = at; outer; outer = outer.parent) outer.all.push(node);
  }
  // A folder that has nothing but one other is one with it.
  for (const one of [...groups.values()].reverse()) {
    const [only] = one.groups;
    if (!one.parent || one.nodes.length || one.groups.length !== 1) continue;
    groups.delete(one.id);
    only.label = `${one.label}/${only.label}`;
    only.parent = one.parent;
    one.parent.groups[one.parent.groups.indexOf(one)] = only;
  }
  // A module with one definition is drawn as that definition, the only folder of all not at all.
  for (const one of [...groups.values()]) {
    if (one === root || one.groups.length || one.nodes.length !== 1) continue;
    const [node] = one.nodes;
    groups.delete(one.id);
    one.parent.groups.splice(one.parent.groups.indexOf(one), 1);
    one.parent.nodes.push(node);
    home.set(node.id, one.parent);
    files.set(node.id, one.label);
  }
  while (root.groups.length === 1 && !root.nodes.length) {
    const [only] = root.groups;
    groups.delete(only.id);
    [root.groups, root.nodes] = [only.groups, only.nodes];
    for (const one of root.groups) one.parent = root;
    for (const node of root.nodes) home.set(node.id, root);
  }
  const opened = new Set([root]);
  // So many are open at first: those with the factories from which sessions come, then the outer before the inner.
  const hasSource = (one) => one.all.some((node) => node.kind === "factory");
  function openFew(few) {
    closeAll();
    const waiting = [...root.groups];
    for (let shown = root.groups.length + root.nodes.length; waiting.length; ) {
      const [next] = waiting.splice(Math.max(waiting.findIndex(hasSource), 0), 1);
      const more = next.groups.length + next.nodes.length - 1;
      if (shown + more > few && !(hasSource(next) && more < 6)) continue;
      shown += more;
      opened.add(next);
      waiting.unshift(...next.groups.filter(hasSource));
      waiting.push(...next.groups.filter((inner) => !hasSource(inner)));
    }
  }
  function closeAll() {
    opened.clear();
    opened.add(root);
  }

  // --- elements ------------------------------------------------------------------------------------------------

  const count = (number, word) => `${number} ${word}${number === 1 ? "" : word.endsWith("s") || word.endsWith("ch") ? "es" : "s"}`;
  function counted(inside) {
    const total = (kind) => inside.reduce((sum, node) => sum + (node.has ? (node.has[kind] ?? 0) : node.kind === kind ? 1 : 0), 0);
    return KINDS.map((kind) => [kind, total(kind)])
      .filter(([, number]) => number)
      .map(([kind, number]) => (kind === "factory" && number > 1 ? `${number} factories` : count(number, kind)))
      .join(", ");
  }
  const findingsOf = (inside) => inside.flatMap((node) => node.findings);
  const boxOf = (one) => `group ${one.id}`;
  function visible(node) {
    let closed = null;
    for (let outer = home.get(node.id); outer; outer = outer.parent) if (!opened.has(outer)) closed = outer;
    return closed ? boxOf(closed) : node.id;
  }
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "12px system-ui, sans-serif";
  function sized(rows) {
    const kept = rows.filter(Boolean);
    return { label: kept.join("\n"), w: Math.max(...kept.map((row) => pen.measureText(row).width)), h: kept.length * 15 };
  }

  function related() {
    // With findings only: what has some, and what a session comes to it from, as far back as that is known.
    const wanted = new Set(data.nodes.filter((node) => node.findings.length).map((node) => node.id));
    for (let grown = -1; grown !== wanted.size; ) {
      grown = wanted.size;
      for (const edge of data.edges) if (wanted.has(edge.to)) wanted.add(edge.from);
    }
    return wanted;
  }

  function elements() {
    const wanted = onlyRed ? related() : null;
    const shown = wanted ? data.nodes.filter((node) => wanted.has(node.id)) : data.nodes;
    const found = [];
    const put = (one, outer) => {
      const inside = one.all.filter((node) => !wanted || wanted.has(node.id));
      if (!inside.length) return;
      const findings = findingsOf(inside).length, open = opened.has(one);
      const rows = open ? [one.label] : [one.label, ...counted(inside).split(/(?<=,.*,) /), findings ? count(findings, "finding") : ""];
      found.push({ data: { id: boxOf(one), parent: outer, kind: "group", group: one.id, red: findings && !open ? 1 : 0, open: open ? 1 : 0, ...sized(rows) } });
      if (!open) return;
      one.groups.forEach((inner) => put(inner, boxOf(one)));
      one.nodes.filter((node) => inside.includes(node)).forEach((node) => leaf(node, boxOf(one)));
    };
    const leaf = (node, outer) => {
      const codes = [...new Set(node.findings.map((finding) => finding.code))].sort();
      const name = node.kind === "module" ? node.name.split("/").pop() : node.name;
      const told = node.has ? counted([node]) : Object.keys(node.acts).join(", ");
      found.push({ data: { id: node.id, parent: outer, kind: node.kind, red: codes.length ? 1 : 0, ...sized([name, files.get(node.id), node.route, told, codes.join(", ")]) } });
    };
    root.groups.forEach((one) => put(one, undefined));
    root.nodes.filter((node) => shown.includes(node)).forEach((node) => leaf(node, undefined));
    const known = new Set(shown.map((node) => node.id));
    const joined = new Map();
    for (const edge of data.edges) {
      if (!known.has(edge.from) || !known.has(edge.to)) continue;
      const [source, target] = [visible(nodes.get(edge.from)), visible(nodes.get(edge.to))];
      if (source === target) continue;
      const key = `${source} ${target} ${edge.link}`;
      joined.set(key, { source, target, link: edge.link, count: (joined.get(key)?.count ?? 0) + 1 });
    }
    for (const [id, edge] of joined) {
      found.push({ data: { id, ...edge, label: edge.count > 1 ? `${edge.link} ×${edge.count}` : edge.link } });
    }
    return found;
  }

  // --- drawing -------------------------------------------------------------------------------------------------

  const style = () => [
    { selector: "node", style: { label: "data(label)", shape: "round-rectangle", width: "data(w)", height: "data(h)", padding: "8px",
      "background-color": (node) => colour(node.data("kind")), "border-width": 1, "border-color": colour("line"), color: colour("text"),
      "font-size": 12, "font-family": "system-ui, sans-serif", "text-valign": "center", "text-halign": "center", "text-wrap": "wrap",
      "line-height": 1.25 } },
    { selector: 'node[kind="engine"]', style: { shape: "barrel" } },
    { selector: 'node[kind="provider"]', style: { shape: "round-hexagon", padding: "12px" } },
    { selector: 'node[kind="route"]', style: { shape: "round-tag", padding: "12px", "text-margin-x": -5 } },
    { selector: 'node[kind="worker"]', style: { shape: "cut-rectangle" } },
    { selector: 'node[kind="group"]', style: { "background-color": colour("module"), "border-style": "dashed", "border-color": colour("faint") } },
    { selector: "node:parent", style: { "text-valign": "top", "text-margin-y": -4, color: colour("faint"), padding: "10px", "background-opacity": 0.6 } },
    { selector: "node[red=1]", style: { "border-color": colour("red"), "border-width": 2 } },
    { selector: "node[red=1]:childless", style: { "background-color": colour("redback") } },
    { selector: "edge", style: { width: 1.5, "curve-style": "bezier", "line-color": colour("edge"), "target-arrow-color": colour("edge"),
      "target-arrow-shape": "triangle", "arrow-scale": 0.9, "font-size": 9, color: colour("faint"), "font-family": "system-ui, sans-serif" } },
    { selector: 'edge[link="makes"]', style: { width: 2.5 } },
    { selector: 'edge[link="lends"]', style: { "line-style": "dashed" } },
    { selector: ".near", style: { label: "data(label)", "z-index": 9, "line-color": colour("mark"), "target-arrow-color": colour("mark"), "text-rotation": "autorotate",
      "text-background-color": colour("back"), "text-background-opacity": 0.9, "text-background-padding": "2px" } },
    { selector: ".far", style: { opacity: 0.18 } },
    { selector: "node.chosen", style: { "border-color": colour("mark"), "border-width": 3 } },
  ];

  const cy = cytoscape({ container: $("graph"), style: style(), minZoom: 0.05, maxZoom: 3, autounselectify: true });
  function draw() {
    cy.batch(() => {
      cy.elements().remove();
      cy.add(elements());
    });
    cy.layout({ name: "dagre", rankDir: "LR", nodeSep: 40, rankSep: 70, edgeSep: 6, animate: false, fit: false }).run();
    cy.nodes(":parent").forEach((box) => fold(box.children(":childless"), box));
    fold(cy.nodes(":orphan:childless"), cy.collection());
    show(cy.elements());
  }

  // Many definitions in one column are hard to read: where room is on their right, they go into several.
  function fold(all, box) {
    const places = all.map((node) => node.position("x"));
    const columns = [...new Set(places)].map((place) => all.filter((node) => node.position("x") === place));
    const column = columns.sort((a, b) => b.length - a.length)[0] ?? all;
    if (column.length < 9 || (box.nonempty() && column.length < all.length) || column.outgoers("edge").nonempty()) return;
    const rows = Math.ceil(column.length / Math.ceil(Math.sqrt(column.length / 3)));
    const sorted = column.sort((a, b) => a.data("label").localeCompare(b.data("label"), undefined, { numeric: true }));
    const [wide, high] = ["w", "h"].map((side) => Math.max(...column.map((node) => node.data(side))) + 40);
    const before = new Map(column.map((node) => [node, { ...node.position() }]));
    const left = column[0].position("x"), middle = (column.boundingBox().y1 + column.boundingBox().y2) / 2;
    sorted.forEach((node, number) => node.position({
      x: left + Math.floor(number / rows) * wide, y: middle + ((number % rows) - (rows - 1) / 2) * high }));
    const here = box.union(column).boundingBox();
    const hits = (other) => {
      const there = other.boundingBox();
      return there.x1 < here.x2 && there.x2 > here.x1 && there.y1 < here.y2 && there.y2 > here.y1;
    };
    const own = column.union(box).union(box.ancestors());
    if (cy.nodes().not(own).some(hits)) before.forEach((place, node) => node.position(place));
  }

  // As large as it can be read well, and all of it where that is possible.
  function show(wanted, middle) {
    cy.fit(wanted, 30);
    if (cy.zoom() > 1.2) cy.zoom(1.2);
    else if (middle && cy.zoom() < 0.5) cy.zoom(0.9);
    else return;
    cy.center(middle && cy.zoom() < 1.2 ? middle : wanted);
  }

  const flow = (chosen) => chosen.union(chosen.predecessors()).union(chosen.outgoers());

  function mark(chosen) {
    cy.elements().removeClass("near far chosen");
    if (!chosen || chosen.empty()) return;
    const around = flow(chosen);
    const kept = around.union(around.parents()).union(chosen.descendants());
    cy.elements().not(kept).addClass("far");
    around.edges().addClass("near");
    chosen.addClass("chosen");
  }

  // --- the panel -----------------------------------------------------------------------------------------------

  function make(tag, text, properties = {}) {
    const made = Object.assign(document.createElement(tag), properties);
    made.textContent = text;
    return made;
  }
  const link = (text, action) => make("button", text, { className: "link", onclick: action });
  function item(...parts) {
    const made = document.createElement("li");
    made.append(...parts);
    return made;
  }
  function told(finding, node) {
    const box = document.createElement("div");
    box.className = "finding";
    box.append(make("b", finding.code), ` ${finding.message} `, link(`${finding.path}:${finding.row}`, () => focus(node.id)));
    return box;
  }

  function detail(node) {
    const box = $("detail");
    box.replaceChildren();
    if (!node) return;
    box.append(make("h2", node.name), make("div", node.has ? counted([node]) : `${node.kind}, ${node.module}:${node.row}`, { className: "faint" }));
    if (node.route) box.append(make("div", node.route));
    for (const [act, rows] of Object.entries(node.acts)) {
      box.append(make("div", rows.length ? `${act} in row${rows.length > 1 ? "s" : ""} ${rows.join(", ")}` : act));
    }
    const list = document.createElement("ul");
    for (const edge of data.edges) {
      if (edge.to === node.id) list.append(item(link(nodes.get(edge.from).name, () => focus(edge.from)), ` ${edge.link} it`));
    }
    for (const edge of data.edges) {
      if (edge.from === node.id) list.append(item(`${edge.link} `, link(nodes.get(edge.to).name, () => focus(edge.to))));
    }
    box.append(list, ...node.findings.map((finding) => told(finding, node)));
  }

  function detailOfGroup(one) {
    const box = $("detail");
    box.replaceChildren(make("h2", one.id), make("div", counted(one.all), { className: "faint" }));
    box.append(make("button", opened.has(one) ? "Close it" : "Open it", { onclick: () => toggle(one) }));
    box.append(...one.all.flatMap((node) => node.findings.map((finding) => told(finding, node))));
  }

  function legend() {
    const list = document.createElement("ul");
    for (const kind of KINDS.filter((kind) => data.nodes.some((node) => node.kind === kind))) {
      const sample = make("span", "", { className: "sample" });
      sample.style.background = `var(--${kind})`;
      list.append(item(sample, kind));
    }
    const red = make("span", "", { className: "sample" });
    red.style.cssText = "background: var(--redback); border-color: var(--red)";
    list.append(item(red, "has findings"));
    for (const [word, look] of [["binds, provides", "1px solid"], ["makes", "3px solid"], ["lends", "2px dashed"]]) {
      const sample = make("span", "", { className: "arrow" });
      sample.style.borderTop = `${look} var(--edge)`;
      list.append(item(sample, word));
    }
    const help = "Sessions flow along the arrows. Click a folder or module to open it, double-click to close it; click a definition to see where its session comes from.";
    $("legend").replaceChildren(make("h2", "Legend"), list, make("p", help, { className: "faint" }));
  }

  function allFindings() {
    const box = $("findings"), having = data.nodes.filter((node) => node.findings.length);
    box.replaceChildren(make("h2", count(findingsOf(data.nodes).length, "finding")));
    for (const node of having) box.append(...node.findings.map((finding) => told(finding, node)));
  }

  // --- what the user does --------------------------------------------------------------------------------------

  function toggle(one, open = !opened.has(one)) {
    if (open) opened.add(one);
    else opened.delete(one);
    draw();
    const box = cy.getElementById(boxOf(one));
    if (open) show(box.union(box.descendants()), box);
    detailOfGroup(one);
  }

  function focus(id) {
    const node = nodes.get(id), before = opened.size;
    for (let outer = home.get(id); outer; outer = outer.parent) opened.add(outer);
    const hidden = onlyRed && cy.getElementById(id).empty();
    if (hidden) onlyRed = $("red").checked = false;
    if (hidden || opened.size !== before) draw();
    const at = cy.getElementById(id);
    mark(at);
    show(flow(at), at);
    detail(node);
  }

  function search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (node) => {
      const all = [node.name, node.module, node.kind, node.route ?? "", ...Object.keys(node.acts), ...node.findings.map((f) => `${f.code} ${f.name}`)].join(" ").toLowerCase();
      return words.every((word) => all.includes(word));
    };
    const found = words.length ? data.nodes.filter(matches) : [];
    const list = document.createElement("ul");
    for (const node of found.slice(0, 30)) {
      list.append(item(link(node.name, () => focus(node.id)), make("span", ` ${node.kind}, ${node.module}`, { className: "faint" })));
    }
    $("results").replaceChildren(...(words.length ? [make("h2", count(found.length, "match")), list] : []));
    return found;
  }

  cy.on("tap", "node", (event) => {
    const { id, kind, group: of, open } = event.target.data();
    if (kind === "group" && !open) return toggle(groups.get(of), true);
    mark(event.target);
    if (kind === "group") detailOfGroup(groups.get(of));
    else detail(nodes.get(id));
  });
  cy.on("dbltap", 'node[kind="group"]', (event) => {
    if (event.target.data("open")) toggle(groups.get(event.target.data("group")), false);
  });
  cy.on("tap", (event) => {
    if (event.target === cy) {
      mark(null);
      detail(null);
    }
  });
  $("search").addEventListener("input", (event) => search(event.target.value));
  $("search").addEventListener("keydown", (event) => {
    const found = event.key === "Enter" ? search(event.target.value) : [];
    if (found.length) focus(found[0].id);
  });
  $("open").onclick = () => (groups.forEach((one) => opened.add(one)), draw());
  $("close").onclick = () => (closeAll(), draw());
  const zoom = (factor) => cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  $("in").onclick = () => zoom(1.3);
  $("out").onclick = () => zoom(1 / 1.3);
  $("fit").onclick = () => cy.fit(undefined, 30);
  $("red").onchange = (event) => ((onlyRed = event.target.checked), draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(style()));

  const modules = new Set(data.nodes.map((node) => node.module)).size;
  $("told").textContent = data.nodes.some((node) => node.has) ? count(modules, "module") : `${count(data.nodes.length, "definition")} in ${count(modules, "module")}`;
  legend();
  allFindings();
  for (const few of FEW) {
    openFew(few);
    draw();
    if (cy.zoom() >= READABLE) break;
  }
  window.sessionMap = { cy, focus, toggle: (id, open) => toggle(groups.get(id), open), search };
})();
