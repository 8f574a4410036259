"use strict";
// The page without this script is whole but for the cases; the script shows those, filters and searches.
// All texts come from reports/embedded.py, made harmless there; they become elements by `put` alone,
// which makes text nodes: nothing that an endpoint sent is ever read as markup.
(() => {
  const index = JSON.parse(document.getElementById("index").textContent);
  const NAMES = ["operation", "theme", "level", "verdict", "authority"];
  const rows = [...document.querySelectorAll("article")];
  const form = document.getElementById("filter");
  const found = document.getElementById("found");
  const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  // Rules, each with the numbers of its cases; cases, each with its rule.
  const rules = [], homes = [];
  for (const [operation, theme, level, verdict, authority, own, others] of index.rules) {
    const cases = Array.from({length: own}, (_, number) => homes.length + number);
    cases.forEach(() => homes.push(rules.length));
    rules.push({facets: [operation, theme, level, verdict, authority], cases, others});
  }
  const ruleAt = new Map(rows.map((row, number) => [row.id, number]));
  const anchors = index.names.slice();
  for (const [anchor, number] of Object.entries(index.anchors)) anchors[number] = anchor;
  const caseAt = new Map(anchors.map((anchor, number) => [anchor, number]));

  // Elements

  const TAGS = {"\u0001": "i", "\u0003": "em", "\u0005": "mark"};
  function put(parent, text) {
    let at = parent;
    for (const part of text.split(/([\u0001-\u0006])/)) {
      if (TAGS[part]) at = at.appendChild(document.createElement(TAGS[part]));
      else if (/^[\u0002\u0004\u0006]$/.test(part)) at = at.parentNode;
      else if (part) at.append(part);
    }
    return parent;
  }
  function make(name, parent, text = "", properties = {}) {
    return parent.appendChild(put(Object.assign(document.createElement(name), properties), text));
  }
  const badge = (parent, verdict) => make("b", parent, verdict, {className: `v ${verdict}`});
  function pairs(parent, ...found) {
    const list = make("dl", parent);
    for (const [name, text] of found) {
      if (!text) continue;
      make("dt", list, name);
      make("dd", list, text);
    }
    return list;
  }
  const block = (parent, title, text) => {
    make("h5", parent, title);
    make("pre", parent, text, {tabIndex: 0});
  };
  function fold(parent, title, fill) {
    const details = make("details", parent);
    make("summary", details, title);
    details.addEventListener("toggle", () => details.open && fill(details), {once: true});
    return details;
  }

  // Details: packs are unpacked when the first of them is asked for.

  const packs = new Map();
  async function unpack(number) {
    const bytes = Uint8Array.from(atob(document.getElementById(`pack-${number}`).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }
  async function detail(number) {
    const pack = index.packs.findLastIndex((start) => start <= number);
    if (!packs.has(pack)) packs.set(pack, unpack(pack));
    return (await packs.get(pack))[number - index.packs[pack]];
  }
  function showExchange(parent, exchange, command) {
    if (command) block(parent, "Send it again", command);
    if (!exchange) return;
    block(parent, "Sent", exchange.sent.filter(Boolean).join("\n\n"));
    if (exchange.received) block(parent, "Received", exchange.received.filter(Boolean).join("\n\n"));
    else {
      make("h5", parent, "Received");
      make("p", parent, `Nothing: ${exchange.failure}`);
    }
    if (exchange.truncated) make("p", parent, "\u0003The body was longer than was kept.\u0004");
  }
  function showFinding(parent, finding) {
    pairs(parent, ["breaks", finding.about], ["expected", finding.expected], ["received", finding.received]);
    if (finding.story) block(parent, "Story", finding.story);
    showExchange(parent, finding.exchange, finding.command);
  }
  function showDetail(parent, {exchange, command, findings: [first, ...more]}) {
    if (first && first.story) block(parent, "Story", first.story);
    showExchange(parent, exchange, command);
    for (const finding of more) showFinding(make("section", parent, "", {className: "finding"}), finding);
  }
  async function fillDetail(parent, number) {
    try {
      showDetail(parent, await detail(number));
    } catch (error) {
      make("p", parent, `This browser cannot unpack it (${error.message}); it is in results.json.`, {className: "cut"});
    }
  }

  // Rules

  const nameOf = (number, rule) => {
    const owner = rows[rule].querySelector("h4 a").textContent + "/";
    return index.names[number].startsWith(owner) ? index.names[number].slice(owner.length) : index.names[number];
  };
  const link = (parent, number, text) => make("a", parent, text, {href: `#${anchors[number]}`});
  function showCase(list, number, rule) {
    const [verdict, expected, received, reason, follows, control, examples, details] = index.cases[number];
    const item = make("li", list, "", {id: anchors[number]});
    const name = make("p", item, "", {className: "name"});
    badge(name, index.verdicts[verdict]);
    name.append(" ");
    link(name, number, nameOf(number, rule));
    const texts = [["expected", expected], ["received", received], ["reason", reason], ["follows", follows]];
    const told = pairs(item, ...texts.map(([title, text]) => [title, index.texts[text]]));
    if (control !== "") {
      make("dt", told, "control");
      const place = make("dd", told, typeof control === "string" ? control : "");
      if (typeof control === "number") link(place, control, index.names[control]);
    }
    if (examples) make("p", item, `Tried with ${plural(examples, "example")}.`);
    if (details >= 0) fold(item, "command and exchange", (fold) => fillDetail(fold, details));
  }
  function showCases(parent, number) {
    const {cases, others} = rules[number];
    const list = make("ul", parent, "", {className: "cases"});
    for (const each of cases) showCase(list, each, number);
    if (!others.length) return;
    make("p", parent, "Covered also by:");
    const also = make("ul", parent, "", {className: "cases"});
    for (const each of others) {
      const name = make("p", make("li", also), "", {className: "name"});
      badge(name, index.verdicts[index.cases[each][0]]);
      name.append(" ");
      link(name, each, index.names[each]);
    }
  }
  const isBroken = (number) => index.broken.includes(index.verdicts[index.cases[number][0]]);
  function openFirst(number) {
    const {cases} = rules[number];
    const worst = cases.find(isBroken) ?? cases[0];
    const details = worst === undefined ? null : document.getElementById(anchors[worst])?.querySelector("details");
    if (details) details.open = true;
  }
  const folds = rows.map((row, number) => {
    const {cases, others} = rules[number];
    if (!cases.length && !others.length) return null;
    const title = plural(cases.length + others.length, "case");
    return fold(row, title, (parent) => {
      showCases(parent, number);
      openFirst(number);
    });
  });
  function openRule(number) {
    const details = folds[number];
    if (!details || details.open) return;
    details.open = true;
    // The event that fills it comes later; a link to a case cannot wait for it.
    details.dispatchEvent(new Event("toggle"));
  }

  // Filter

  let haystacks = null, titles = null;
  function haystack(number) {
    const parts = [rows[number].textContent];
    for (const each of rules[number].cases) {
      const [, expected, received, reason] = index.cases[each];
      parts.push(index.names[each], index.texts[expected], index.texts[received], index.texts[reason]);
    }
    return parts.join("\n").replace(/[\u0001-\u0006]/g, "").toLowerCase();
  }
  const state = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  function wordsOf(asked) {
    const words = (asked.get("search") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) titles ??= rows.map((row) => `${row.id} ${row.querySelector("p").textContent}`.toLowerCase());
    if (words.length) haystacks ??= rows.map((_, number) => haystack(number));
    return words;
  }
  function wanted(asked, words) {
    const facets = NAMES.map((name) => asked.get(name));
    const broken = index.broken.map((verdict) => index.facets.verdict.indexOf(verdict));
    const sought = facets.map((value, at) => {
      if (value === null) return null;
      return NAMES[at] === "verdict" && value === "broken" ? broken : [index.facets[NAMES[at]].indexOf(value)];
    });
    return (rule, number) =>
      sought.every((values, at) => values === null || values.includes(rule.facets[at]))
      && words.every((word) => haystacks[number].includes(word));
  }
  const groups = [...document.querySelectorAll(".cause")].map((group) => ({
    group,
    words: group.querySelector(".words").textContent.toLowerCase(),
    count: group.querySelector(".count"),
    items: [...group.querySelectorAll("li")].map((item) => [item, Number(item.dataset.rule)]),
  }));
  const verdicts = [...document.querySelectorAll(".verdict")];
  const sections = [...document.querySelectorAll(".rules")].map((section) => ({
    section,
    items: [...section.querySelectorAll("article")].map((row) => [row, ruleAt.get(row.id)]),
  }));
  const hide = (element, hidden) => {
    if (element.hidden !== hidden) element.hidden = hidden;
  };
  function apply() {
    const asked = state();
    const words = wordsOf(asked);
    const shown = rules.map(wanted(asked, words));
    // What is inside of something hidden is left as it is: to hide and show it again takes time.
    function show(parent, items, wants) {
      const left = items.filter(([, rule]) => wants(rule)).length;
      hide(parent, !left);
      if (left) for (const [item, rule] of items) hide(item, !wants(rule));
      return left;
    }
    for (const {section, items} of sections) show(section, items, (rule) => shown[rule]);
    // A rule of many cases is in many groups: the words are to be in its statement or the group's answer.
    for (const {group, words: said, count, items} of groups) {
      const inGroup = (rule) => words.every((word) => said.includes(word) || titles[rule].includes(word));
      count.textContent = plural(show(group, items, (rule) => shown[rule] && inGroup(rule)), "rule");
    }
    for (const section of verdicts) hide(section, !section.querySelector(".cause:not([hidden])"));
    const rulesLeft = shown.filter(Boolean).length;
    found.value = `${rulesLeft.toLocaleString("en")} of ${plural(rules.length, "rule")}`;
    return asked;
  }
  const bar = document.querySelector(".bar");
  const deviations = document.getElementById("deviations");
  function toResults() {
    const some = groups.some(({group}) => !group.hidden);
    (some ? deviations : document.getElementById("rules")).scrollIntoView();
  }
  function filter() {
    const asked = apply().toString();
    history.replaceState(null, "", asked ? `#?${asked}` : location.pathname + location.search);
    // Where the filter stays in sight, so do its results.
    if (asked && getComputedStyle(bar).position === "sticky") toResults();
  }
  function ask(asked) {
    for (const name of ["search", ...NAMES]) {
      const field = form.elements[name];
      field.value = asked.get(name) ?? "";
      if (field.selectedIndex === -1) field.value = ""; // a value that this run does not have
    }
    apply();
  }

  // Links

  // What stands above was never laid out and takes its true height only when it comes near: once is not enough.
  function hold(element, frames = 5) {
    element.scrollIntoView();
    if (frames) requestAnimationFrame(() => hold(element, frames - 1));
  }
  const target = (element) => {
    document.querySelector(".target")?.classList.remove("target");
    element.classList.add("target");
    hold(element);
  };
  function arrive() {
    const hash = location.hash.slice(1);
    if (hash.startsWith("?")) {
      ask(new URLSearchParams(hash.slice(1)));
      toResults();
      return;
    }
    const asCase = caseAt.get(hash);
    const rule = ruleAt.get(hash) ?? homes[asCase];
    if (!hash) ask(new URLSearchParams());
    if (rule === undefined) return;
    if (!rows[rule].checkVisibility()) ask(new URLSearchParams());
    openRule(rule);
    const element = document.getElementById(hash);
    if (asCase !== undefined) {
      const details = element.querySelector("details");
      if (details) details.open = true;
    }
    target(element);
  }
  for (const map of document.querySelectorAll(".map")) {
    map.addEventListener("click", (event) => {
      const cell = event.target.closest("a");
      if (!cell || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const first = document.getElementById(cell.hash.slice(1)).parentNode.querySelector("article");
      const facets = rules[ruleAt.get(first.id)].facets;
      const asked = NAMES.slice(0, 3).map((name, at) => [name, index.facets[name][facets[at]]]);
      location.hash = `?${new URLSearchParams(asked)}`;
    });
  }
  form.elements.search.addEventListener("input", filter);
  for (const name of NAMES) form.elements[name].addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    toResults();
  });
  addEventListener("hashchange", arrive);
  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = groups.map(({group}) => group).filter((group) => !group.open);
    for (const group of closed) group.open = true;
  });
  addEventListener("afterprint", () => {
    for (const group of closed) group.open = false;
  });
  form.hidden = false;
  apply();
  arrive();
})();
