#!/usr/bin/env node
// The installed command: runs the bundled program.
try {
  await import('../dist/cli.js')
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes('dist/cli.js')) throw error
  console.error('quarry: the program is not built; run: npm run build')
  process.exitCode = 1
}
