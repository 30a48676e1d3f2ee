import js from '@eslint/js'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['dist', '.tap', '**/*.mjs'] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: 'test/tsconfig.json' } },
    rules: {
      // Numbers and booleans print as one expects; everything else in a template is a mistake.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `while (true)` is how a loop that ends by return is written.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      // With noUncheckedIndexedAccess, `!` after a match or a length check is the shortest true statement.
      // A function that may answer an exit code or nothing.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
    },
  },
  {
    files: ['test/**'],
    rules: {
      // tap itself waits for what `test` answers, and wants a promise even of a test that has nothing to wait for.
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', name: 'test', package: '@tapjs/test' }] },
      ],
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    // What runs in browsers is not compiled.
    files: ['master/web/static/*.js'],
    ...ts.configs.disableTypeChecked,
    languageOptions: {
      parserOptions: { program: null, project: false, projectService: false },
      globals: Object.fromEntries(
        (
          'CSS CustomEvent DOMParser Element EventSource IntersectionObserver URL URLSearchParams addEventListener ' +
          'document fetch getSelection history innerHeight location scrollBy scrollTo scrollY setInterval setTimeout'
        )
          .split(' ')
          .map(name => [name, 'readonly']),
      ),
    },
  },
)
