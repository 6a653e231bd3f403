// docs/conformance.md, from a run.

const MEANS = {
  noise: 'calls of `Generator` in several orders, against torch',
  scheduler: 'schedules and steps of `DDIMScheduler`, against diffusers',
  generations: 'latents after every step, and pixels, of the embedded model and of models of every container and kind',
  batches: 'images drawn alone or in other batches, against the same images in one batch',
  workers: 'batches spread over several workers, against one session',
};

const row = (cells) => `| ${cells.join(' | ')} |`;

function cell(count) {
  if (!count) return 'not run';
  if (count.failed === 0 && count.uncompared > 0) return `${count.uncompared} to compare with`;
  if (count.failed === 0 && count.equal === count.hashes) return `${count.hashes} equal`;
  return `**${count.equal} of ${count.hashes} equal**, ${count.failed} cases differ`;
}

/**
 * The table of a run as Markdown.
 * @param rows `{ name, version, groups }`; without `groups` the runtime was not run.
 */
export function table(groups, rows) {
  const lines = [row(['runtime', 'version', ...groups]), row(['---', '---', ...groups.map(() => '---:')])];
  for (const { name, version, groups: counts } of rows) {
    lines.push(row([name, version ?? 'not installed', ...groups.map((group) => cell(counts?.[group]))]));
  }
  return lines.join('\n');
}

/** The whole page. */
export function page({ cases, rows, recordedWith, date, machine }) {
  const groups = Object.keys(cases);
  const all = rows.flatMap(({ groups: counts }) => Object.values(counts ?? {}));
  const sum = (key) => all.reduce((total, count) => total + count[key], 0);
  const number = (n) => n.toLocaleString('en-US');
  return `# The same bits on every runtime

Written by \`npm run conformance\` on ${date}, on ${machine}; do not edit. **${number(sum('equal'))} of ${number(sum('hashes'))} hashes are equal.**

Each runtime runs the same module ([run.mjs](../test/conformance/run.mjs)) over the same cases
([cases.json](../test/conformance/cases.json)) and gives the SHA-256 of what comes out. A number is that of the hashes
of a runtime in a group of cases. None of them is compared with a recording of our own:

- noise and scheduler with what ${recordedWith} gave ([record.py](../test/conformance/record.py)),
- batches and workers also with the same images of the same runtime, drawn in one batch by one session,
- all with ${rows[0].name} ${rows[0].version}, the first row; its generations are what the other rows are compared with.

${table(groups, rows)}

${groups.map((group) => `- **${group}** (${cases[group].length} cases): ${MEANS[group]}.`).join('\n')}

A row "cross-origin isolated" is a page that was served with \`Cross-Origin-Opener-Policy: same-origin\` and
\`Cross-Origin-Embedder-Policy: require-corp\`, and checks that it is isolated. WebKit is WebKitGTK. The emulated row runs
the arm64 build of Node under qemu: V8 compiles the WebAssembly to arm64 code there. It runs a part of the cases.

\`\`\`sh
npm run conformance                       # all that is installed; writes this page; exit code 1 if a hash differs
npm run conformance -- --only node,deno   # some, without writing it
\`\`\`

[CONTRIBUTING.md](../CONTRIBUTING.md) tells where each runtime is installed from.
`;
}
