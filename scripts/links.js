// Holds every link between pages: the file is there, and so is the heading.
// Usage: node scripts/links.js
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

process.chdir(path.join(__dirname, '..'));
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { encoding: 'utf8' });
const pages = tracked.split('\n').filter((page) => page && fs.existsSync(page));
const text = (page) => fs.readFileSync(page, 'utf8').replace(/^(```|~~~).*?^\1/gms, '');

/** What a heading is linked by, as GitHub makes it. */
const anchor = (heading) => heading.toLowerCase().replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
const anchors = (page) => new Set([...text(page).matchAll(/^#+ +(.*)$/gm)].map(([, heading]) => anchor(heading.trim())));

let links = 0;
const wrong = [];
for (const page of pages) {
  for (const [, link] of text(page).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(link)) continue;
    links += 1;
    const [file, of] = link.split('#');
    const to = file ? path.join(path.dirname(page), decodeURI(file)) : page;
    if (!fs.existsSync(to)) wrong.push(`${page}: there is no ${link}`);
    else if (of && to.endsWith('.md') && !anchors(to).has(of)) wrong.push(`${page}: ${to} has no heading #${of}`);
  }
}
wrong.forEach((problem) => console.error(problem));
if (wrong.length > 0) process.exit(1);
console.log(`${links} links of ${pages.length} pages lead somewhere`);
