import tseslint from 'typescript-eslint';

const refuse = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] });
const siblings = (...folders) => ({
  group: folders.map((folder) => `**/${folder}/*`),
  message: 'docs: CONTRIBUTING.md says which folder may import which',
});
const node = { group: ['node:*'], message: 'this folder runs in a browser' };
const packages = { regex: '^(?!\\.{1,2}/|@noble/)', message: 'this folder depends on the noble packages alone' };
const viem = { group: ['viem', 'viem/*'], message: 'only src/anchor knows viem' };
const bitcoinjs = {
  group: ['bitcoinjs-lib', 'ecpair', '@bitcoinerlab/*'],
  message: 'only src/checkpoint knows bitcoinjs-lib',
};

export default tseslint.config(
  { ignores: ['dist/', 'artifacts/', 'cache/', 'demo-out/', 'node_modules/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
      'no-control-regex': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'a union of literals' },
        { selector: 'ExportAllDeclaration[exported=null]', message: 'no barrels' },
      ],
      'prefer-const': 'error',
    },
  },
  {
    files: ['src/protocol/**', 'src/verify/**'],
    rules: {
      'no-restricted-globals': ['error', 'process', 'Buffer', 'fetch', 'setTimeout', 'crypto'],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now' },
        { object: 'Math', property: 'random' },
      ],
    },
  },
  {
    files: ['src/protocol/**'],
    rules: refuse(
      node,
      packages,
      siblings('verify', 'store', 'seal', 'anchor', 'checkpoint', 'prove', 'daemon', 'cli'),
    ),
  },
  {
    files: ['src/verify/**'],
    rules: refuse(node, packages, {
      regex: '^\\.\\./(?!protocol/)',
      message: 'the verifier imports src/protocol alone',
    }),
  },
  {
    files: ['src/store/**'],
    rules: refuse(viem, bitcoinjs, siblings('verify', 'seal', 'anchor', 'prove', 'daemon', 'cli')),
  },
  { files: ['src/seal/**'], rules: refuse(viem, bitcoinjs, siblings('anchor', 'prove', 'daemon', 'cli')) },
  { files: ['src/anchor/**'], rules: refuse(bitcoinjs, siblings('verify', 'seal', 'prove', 'daemon', 'cli')) },
  { files: ['src/checkpoint/**'], rules: refuse(viem, siblings('verify', 'seal', 'anchor', 'prove', 'daemon', 'cli')) },
  { files: ['src/prove/**'], rules: refuse(viem, bitcoinjs, siblings('seal', 'anchor', 'daemon', 'cli')) },
  { files: ['src/daemon/**'], rules: refuse(viem, bitcoinjs, siblings('cli')) },
  { files: ['src/cli/**'], rules: refuse(viem, bitcoinjs) },
);
