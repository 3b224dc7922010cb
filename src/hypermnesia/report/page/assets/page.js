// Draws the charts of the page, as wide as there is room, and shows the group of runs that is chosen.
const specifications = JSON.parse(document.getElementById("charts").textContent);
const style = JSON.parse(document.getElementById("style").textContent);
const NARROW = 420, WIDEST = 640; // pixels

// The chart's specification, fitted into a width. Charts whose height depends on it say so in `usermeta`.
function fitted(specification, available) {
  const { heightOfWidth, labels = 0 } = specification.usermeta ?? {};
  const width = Math.min(available, WIDEST);
  const height = Math.round(heightOfWidth ? (width - labels) * heightOfWidth + 40 : specification.height + 50);
  return { ...specification, width, height, autosize: { type: "fit", contains: "padding" } };
}

// On a phone, legends stand below, and long names of tasks are cut: tooltips have them whole.
function styled(width) {
  if (width >= NARROW) return style;
  return {
    ...style,
    legend: {
      ...style.legend, orient: "bottom", direction: "horizontal", columns: 2, labelLimit: width / 2 - 40,
      layout: { bottom: { anchor: "start", direction: "vertical" } }, // one below the other
    },
    axisY: { labelLimit: 90, titleLimit: 240 },
  };
}

async function draw(element) {
  const width = Math.floor(element.clientWidth);
  if (!width || element.dataset.drawn === String(width)) return;
  element.dataset.drawn = String(width);
  const specification = specifications[element.dataset.chart];
  const panels = element.classList.contains("scroll"); // keep their size
  try {
    await vegaEmbed(element, panels ? specification : fitted(specification, width), {
      actions: false, renderer: "svg", config: panels ? style : styled(width), tooltip: { disableDefaultStyle: false },
    });
  } catch (error) {
    element.innerHTML = '<p class="error">This chart could not be drawn.</p>';
    console.error(element.dataset.chart, error);
  }
}

// Charts in what is folded or hidden have no width yet; they are drawn when that is shown.
async function drawAll() {
  for (const element of document.querySelectorAll(".chart")) await draw(element);
  document.documentElement.dataset.drawn = "yes";
}

function show(group) {
  for (const part of document.querySelectorAll("[data-group]")) part.hidden = part.dataset.group !== group;
  return drawAll();
}

const chooser = document.getElementById("group");
if (chooser) {
  const chosen = new URLSearchParams(location.hash.slice(1)).get("runs"); // survives reloading
  const option = [...chooser.options].find(({ text }) => text === chosen);
  if (option) chooser.value = option.value;
  chooser.addEventListener("change", () => {
    history.replaceState(null, "", "#" + new URLSearchParams({ runs: chooser.selectedOptions[0].text }));
    show(chooser.value);
  });
}
for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", drawAll);
let waiting;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 150); });
chooser ? show(chooser.value) : drawAll();
