// Native ESM tests over the built package: run `npm test`, which builds first.
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // These need more than Node: `npm run interop`, `browser`, `edge` and `bundlers` run them.
  testPathIgnorePatterns: process.env.TEST_ALL
    ? []
    : ['interop', 'browser', 'edge', 'bundlers'].map((folder) => `<rootDir>/test/${folder}/`),
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/esbuild-transform.mjs' },
  moduleNameMapper: {
    '^ddim-wasm$': '<rootDir>/dist/esm/index.js',
    '^ddim-wasm/scheduler$': '<rootDir>/dist/esm/scheduler-entry.js',
  },
  testTimeout: 120_000,
};
