// Prints "PASSED FAILED SKIPPED" of a vitest JSON report, for .ci/run. Usage: count-tests.mjs REPORT EXIT_CODE
// A run without a report, a file that failed before its first test, and a failing exit code without a failed test count as one
// failure each: nothing that went wrong may look like a pass.
import { readFileSync } from 'node:fs'

const [file, exitCode] = process.argv.slice(2)
let passed = 0
let failed = 0
let skipped = 0
try {
  const report = JSON.parse(readFileSync(file, 'utf8'))
  for (const suite of report.testResults) {
    let failedHere = 0
    for (const test of suite.assertionResults) {
      if (test.status === 'passed') passed++
      else if (test.status === 'failed') failedHere++
      else skipped++
    }
    failed += suite.status === 'failed' ? Math.max(1, failedHere) : failedHere
  }
} catch (error) {
  console.error(`no report of the tests: ${error.message}`)
  failed++
}
if (exitCode !== '0' && failed === 0) failed++
console.log(`${passed} ${failed} ${skipped}`)
