// Runs in Node, beside a test: opens pages in Chromium as the test says on standard input, a JSON object a
// line, and answers each with a line. See browser.ts.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [folder, executablePath] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { chromium } = require("playwright-core");
// The policy of the page blocks a script tag of axe, so its source is evaluated.
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// In a container Chromium has no sandbox of its own. It opens nothing here but pages of the test.
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let context, page, problems;

const does = {
  async open({ url, width = 1200, scheme = "light", script = true }) {
    await context?.close();
    context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme: scheme,
      javaScriptEnabled: script,
      reducedMotion: "reduce",
    });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    page = await context.newPage();
    problems = [];
    page.on("console", (message) => problems.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("dialog", (dialog) => problems.push(`dialog: ${dialog.message()}`));
    await page.goto(url);
  },
  screenshot: ({ path }) => page.screenshot({ path, fullPage: true }),
  async axe() {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run());
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  },
  problems: () => problems,
  // How much wider the content is than the window.
  overflow: () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
  text: ({ selector }) => page.locator(selector).first().innerText(),
  visible: ({ selector }) => page.locator(selector).first().isVisible(),
  click: ({ selector }) => page.locator(selector).first().click(),
  press: ({ key }) => page.keyboard.press(key),
  fill: ({ selector, text }) => page.locator(selector).first().fill(text),
  clipboard: () => page.evaluate(() => navigator.clipboard.readText()),
  focused: () => page.evaluate(() => document.activeElement.textContent.trim()),
  waitFor: ({ text }) => page.getByText(text).first().waitFor({ timeout: 20_000 }),
  run: ({ code }) => page.evaluate(code),
  url: () => page.url(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...how } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: await does[what](how) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
