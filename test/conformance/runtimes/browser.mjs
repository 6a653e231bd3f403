// Browsers: opened on the page, as a person would; no driver between.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, startProgram, versionOf } from './process.mjs';

const FIREFOX_PREFS = `
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
`;
const WEBKIT = ['x86_64', 'aarch64'].flatMap((cpu) =>
  ['4.1', '6.0', '4.0'].map(
    (api) => `/usr/lib/${cpu}-linux-gnu/webkit${api === '6.0' ? '' : '2'}gtk-${api}/MiniBrowser`,
  ),
);

/** How each one is started: program, arguments with an empty profile, and how its version is told. */
const BROWSERS = {
  Chromium: {
    find: () => findProgram(process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'),
    version: (program) => versionOf(program, '--version'),
    command: (program, profile, url) => [
      program,
      [
        ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-sync', '--no-first-run'],
        ...['--disable-background-networking', '--disable-component-update', `--user-data-dir=${profile}`, url],
      ],
    ],
  },
  Firefox: {
    find: () => findProgram(process.env.FIREFOX, 'firefox', 'firefox-esr'),
    version: (program) => versionOf(program, '--version'),
    prepare: (profile) => writeFileSync(join(profile, 'user.js'), FIREFOX_PREFS),
    command: (program, profile, url) => [program, ['--headless', '--no-remote', '--profile', profile, url]],
  },
  // WebKitGTK's own small browser, on a display in memory.
  WebKit: {
    find: async () => ((await findProgram('xvfb-run')) ? findProgram(process.env.MINIBROWSER, ...WEBKIT) : undefined),
    version: (program) => versionOf('xvfb-run', '-a', program, '--version'),
    command: (program, profile, url) => ['xvfb-run', ['-a', program, '--private', url], { HOME: profile }],
  },
};

/** A browser with or without cross-origin isolation. */
export const browserRuntime = (name, key, isolated) => ({
  name: isolated ? `${name}, cross-origin isolated` : name,
  key,
  isolated,
  async find() {
    const { find, version, prepare = () => {}, command } = BROWSERS[name];
    const program = await find();
    const told = program && (await version(program));
    if (!told) return undefined;
    return {
      version: told,
      start({ base }) {
        const profile = mkdtempSync(join(tmpdir(), 'ddim-wasm-browser-'));
        prepare(profile);
        const [file, args, env] = command(program, profile, `${base}/page/conformance/index.html`);
        const cleanUp = () => rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
        return startProgram(file, args, { env, cleanUp });
      },
      check: (about) =>
        about.isolated === isolated ? undefined : `crossOriginIsolated is ${about.isolated}, not ${isolated}`,
    };
  },
});
