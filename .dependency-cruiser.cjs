// Who may import whom (docs/architecture.md). All rules are errors; `npm run boundaries` checks them.
//
//   common <- proto <- { namenode, datanode, client } <- compute <- gateway <- cli
const inside = (...folders) => `^(${folders.join('|')})/`
const ours = inside('common', 'proto', 'namenode', 'datanode', 'client', 'compute', 'cli', 'gateway', 'test', 'bench')
const tests = '(\\.test\\.ts$|-conformance\\.ts$|/testing/)'

/** Sources of `folder` import, of ours, only what matches one of `allowed`. */
const only = (folder, allowed, comment) => ({
  name: `${folder.replaceAll('/', '-')}-imports`,
  comment,
  severity: 'error',
  from: { path: `^${folder}/`, pathNot: tests },
  to: { path: ours, pathNot: [`^${folder}/`, ...allowed] },
})

/** A package is used in these places only. */
const packageOnlyIn = (name, packages, places) => ({
  name: `${name}-only-where-it-belongs`,
  severity: 'error',
  from: { pathNot: [...places, tests, '^(test|bench|scripts)/'] },
  to: { path: `^node_modules/(${packages})/` },
})

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Types and what is imported on first use do not order the loading of modules.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    {
      name: 'no-orphans',
      comment: 'A module that nobody imports and that imports nothing is dead.',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.test\\.ts$', '\\.d\\.m?ts$', '^common/testing/'] },
      to: {},
    },
    only('common', [], 'The leaf: nothing of ours.'),
    only('proto', ['^common/']),
    only('namenode', ['^common/', '^proto/'], 'Namenode, datanode and client meet in proto/ports.ts.'),
    only('datanode', ['^common/', '^proto/'], 'Namenode, datanode and client meet in proto/ports.ts.'),
    only('client', ['^common/', '^proto/']),
    only('compute', ['^common/', '^proto/', '^client/index\\.ts$']),
    only(
      'gateway',
      ['^common/', '^proto/', '^client/(index|types)\\.ts$', '^compute/index\\.ts$'],
      'Doors that are clients of the cluster themselves.',
    ),
    only('cli', [
      '^common/',
      '^client/(index|types)\\.ts$',
      '^compute/index\\.ts$',
      '^(namenode|datanode)/main\\.ts$',
      '^namenode/(store/(manifest|offline|restore)|core/edits)\\.ts$',
      '^compute/.*main\\.ts$',
      '^gateway/index\\.ts$',
      '^proto/version\\.ts$',
      '^bench/',
    ]),
    {
      name: 'roles-start-in-commands',
      comment: 'Only the commands (and the embedded cluster they start) know the roles; the rest of the shell is a client.',
      severity: 'error',
      from: { path: '^cli/', pathNot: ['^cli/(commands|cluster)/', tests] },
      to: { path: '^(namenode|datanode|compute)/.*main\\.ts$' },
    },
    {
      name: 'nobody-imports-the-top',
      severity: 'error',
      from: { path: inside('common', 'proto', 'namenode', 'datanode', 'client', 'compute'), pathNot: tests },
      to: { path: inside('cli', 'gateway', 'test', 'bench') },
    },
    {
      name: 'core-is-pure',
      comment: 'Decisions know no sockets, files, databases or logs; what they need comes in as a port.',
      severity: 'error',
      from: { path: '/core/', pathNot: tests },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional'] },
    },
    {
      name: 'core-knows-no-adapter',
      severity: 'error',
      from: { path: '^(namenode|datanode)/core/', pathNot: tests },
      to: { path: '^(namenode|datanode)/(store|service|workers|main)' },
    },
    {
      name: 'block-files-through-the-disk',
      comment: 'Block data, identity and lock go through datanode/store/disk.ts, which the simulation implements too.',
      severity: 'error',
      from: { path: '^datanode/', pathNot: ['^datanode/store/(real-disk|process-lock)\\.ts$', tests] },
      to: { path: '^(node:)?fs(/promises)?$' },
    },
    {
      name: 'generated-types-through-proto',
      severity: 'error',
      from: { pathNot: ['^proto/', '/service/', tests, '^(test|bench)/'] },
      to: { path: '^proto/(hadoop/)?gen/' },
    },
    packageOnlyIn('sqlite', 'better-sqlite3', ['^namenode/store/']),
    packageOnlyIn('grpc', '@grpc/[^/]+', ['^proto/', '/service/', '/main\\.ts$']),
    packageOnlyIn('commander', 'commander', ['^cli/']),
    packageOnlyIn('sql-engine', '@duckdb/[^/]+|hyparquet|parquet-wasm', ['^compute/', '^cli/commands/demo', '^cli/demo/']),
    {
      name: 'declared-packages',
      severity: 'error',
      from: { pathNot: [tests, '^(test|bench|scripts)/', 'vitest\\.config\\.ts$'] },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
}
