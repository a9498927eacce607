
"use strict";
(() => {
  const list = document.getElementById("list");
  const form = document.querySelector(".controls");
  const findings = list ? Array.from(list.children) : [];
  const status = document.querySelector(".status");
  const total = status ? status.textContent.replace(/^.* of /, "") : "";
  const texts = new Map();
  const labels = new Map();

  const text = (finding) => {
    if (!texts.has(finding)) texts.set(finding, finding.textContent.toLowerCase());
    return texts.get(finding);
  };
  const label = (finding, name) => {
    const key = finding.id + name;
    if (!labels.has(key)) labels.set(key, JSON.parse(finding.dataset[name]));
    return labels.get(key);
  };
  const number = (name, sign) => (a, b) => sign * (a.dataset[name] - b.dataset[name]);
  const orders = {
    grave: number("strength", 1),
    document: number("number", 1),
    size: number("size", -1),
    identity: number("identity", -1),
    source: (a, b) => (a.dataset.source < b.dataset.source ? -1 : a.dataset.source > b.dataset.source ? 1 : 0),
  };

  const fits = (finding, wanted, words) => {
    for (const name of ["action", "kind"])
      if (wanted[name] && finding.dataset[name] !== wanted[name]) return false;
    for (const name of ["corpus", "owner", "licence"])
      if (wanted[name] && !label(finding, name).includes(wanted[name].slice(1))) return false;
    return words.every((word) => text(finding).includes(word));
  };

  const show = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const finding of findings) {
      finding.hidden = !fits(finding, wanted, words);
      shown += !finding.hidden;
    }
    status.textContent = `Showing ${shown.toLocaleString("en")} of ${total}`;
    document.querySelector(".empty").hidden = shown > 0;
  };
  const order = () => {
    const compare = orders[form.elements.order.value];
    const sorted = findings.slice().sort((a, b) => compare(a, b) || orders.grave(a, b));
    list.append(...sorted);
  };

  if (form) {
    form.hidden = false;
    form.elements.text.addEventListener("input", show);
    form.addEventListener("change", (event) => (event.target.name === "order" ? order() : show()));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { show(); order(); }));
    const all = (open) => () => {
      for (const finding of findings) if (!finding.hidden) finding.open = open;
    };
    form.elements.open.addEventListener("click", all(true));
    form.elements.close.addEventListener("click", all(false));
  }

  const button = (cell, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.append(...cell.childNodes);
    made.addEventListener("click", act);
    cell.append(made);
  };
  const value = (row, column) => {
    const said = row.cells[column].textContent;
    return column ? Number(said.replaceAll(",", "")) : said;
  };
  for (const table of document.querySelectorAll("table")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    const body = table.tBodies[0];
    heads.forEach((head, column) => button(head, () => {
      const first = column ? "descending" : "ascending";
      const other = column ? "ascending" : "descending";
      const next = head.getAttribute("aria-sort") === first ? other : first;
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const rows = Array.from(body.rows).sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        return sign * (x < y ? -1 : x > y ? 1 : 0);
      });
      body.append(...rows);
    }));
    const field = form && form.elements[table.dataset.grouping];
    if (field) for (const row of body.rows) {
      const cell = row.cells[0];
      const chosen = (table.dataset.grouping === "kind" ? "" : "=") + cell.dataset.value;
      if (!Array.from(field.options).some((option) => option.value === chosen)) continue;
      button(cell, () => {
        field.value = chosen;
        show();
        document.getElementById("findings").focus();
      });
    }
  }

  // On paper nothing can be opened any more.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = findings.filter((finding) => !finding.open);
    for (const finding of closed) finding.open = true;
  });
  addEventListener("afterprint", () => {
    for (const finding of closed) finding.open = false;
  });

  const named = location.hash.startsWith("#finding-") && document.getElementById(location.hash.slice(1));
  if (named) named.open = true;
})();
