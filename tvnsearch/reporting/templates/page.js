"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const trained = new Map(data.trained.map((row) => [row[0], row]));
  const tip = document.getElementById("tip");
  const said = document.getElementById("said");

  for (const element of document.querySelectorAll(".script")) element.classList.remove("script");

  function describe(number) {
    const [, id, fitness, latency, low, high, params, foretold] = trained.get(number);
    const interval = low === null ? "" : ` (${low.toFixed(2)} to ${high.toFixed(2)})`;
    return `individual ${number}: ${latency.toFixed(2)} ms${interval}, fitness ${fitness.toFixed(3)}` +
      `${foretold ? " foretold" : ""}, ${params.toLocaleString("en")} parameters, genome ${id}`;
  }

  function genomeOf(number) {
    const genome = data.genomes[number];
    return genome ? JSON.stringify(genome) : trained.get(number)[1];
  }

  async function copy(number) {
    const text = genomeOf(number);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const what = data.genomes[number] ? "the genome" : "the identity of the genome";
    said.textContent = `Copied ${what} of individual ${number}.`;
  }

  const individualAt = (event) => {
    const number = Number(event.target.dataset?.n ?? NaN);
    return trained.has(number) ? number : null;
  };

  document.addEventListener("pointerover", (event) => {
    const number = event.target.tagName === "circle" ? individualAt(event) : null;
    tip.hidden = number === null;
    if (number === null) return;
    const genome = data.genomes[number] ? `\n${genomeOf(number).slice(0, 400)}` : "";
    tip.textContent = describe(number) + genome;
    tip.style.whiteSpace = "pre-wrap";
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8))}px`;
    const below = event.clientY + 14;
    tip.style.top = `${below + tip.offsetHeight > innerHeight ? Math.max(4, event.clientY - tip.offsetHeight - 10) : below}px`;
  });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  document.addEventListener("click", (event) => {
    const number = individualAt(event);
    if (number !== null) copy(number);
  });

  const slider = document.getElementById("budget");
  if (!slider) return;
  const { low, high, start, end } = data.scale;
  const toMs = (share) => low * (high / low) ** share;
  const line = document.getElementById("asked");
  const answer = document.getElementById("answer");

  function show() {
    const share = slider.value / slider.max;
    const ms = toMs(share);
    let pick = null;
    for (const one of data.picks) if (one[0] <= ms) pick = one;
    const written = ms.toPrecision(3);
    slider.setAttribute("aria-valuetext", `${written} ms`);
    const place = start + share * (end - start);
    line.setAttribute("x1", place);
    line.setAttribute("x2", place);
    line.style.visibility = "visible";
    for (const dot of document.querySelectorAll("circle.picked")) dot.classList.remove("picked");
    if (pick === null) {
      answer.textContent = `Under ${written} ms: no trained network keeps that.`;
      return;
    }
    const doubt = pick[2] ? "" : " That it keeps this is no promise: measure it again.";
    answer.textContent = `Under ${written} ms: ${describe(pick[1])}.${doubt}`;
    document.querySelector(`#front circle[data-n="${pick[1]}"]`)?.classList.add("picked");
  }
  slider.value = Math.round(slider.max * Math.log(data.maxMs / low) / Math.log(high / low));
  slider.addEventListener("input", show);
})();
