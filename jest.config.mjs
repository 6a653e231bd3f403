// Native ESM tests over the built package: run `npm test`, which builds first.
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Needs Python: npm run interop.
  testPathIgnorePatterns: process.env.HUB_PYTHONS ? [] : ['<rootDir>/test/interop/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/esbuild-transform.mjs' },
  moduleNameMapper: {
    '^ddim-wasm$': '<rootDir>/dist/esm/index.js',
    '^ddim-wasm/scheduler$': '<rootDir>/dist/esm/scheduler-entry.js',
  },
  testTimeout: 120_000,
};
