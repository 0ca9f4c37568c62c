// Prints "PASSED FAILED SKIPPED" of one vitest run: node .ci/count-tests.mjs REPORT.json EXIT_STATUS
// A file that could not be loaded counts as one failure, and so does a run that failed without naming a test.
import { readFileSync } from "node:fs";

const [reportFile, status] = process.argv.slice(2);
const counts = { passed: 0, failed: 0, skipped: 0 };
try {
  for (const { status: fileStatus, assertionResults } of JSON.parse(readFileSync(reportFile, "utf8")).testResults) {
    const of = (wanted) => assertionResults.filter((result) => result.status === wanted).length;
    counts.passed += of("passed");
    counts.failed += of("failed") + (fileStatus === "failed" && of("failed") === 0 ? 1 : 0);
    counts.skipped += assertionResults.length - of("passed") - of("failed");
  }
} catch (error) {
  console.error(`no report of the tests: ${error.message}`);
}
if (Number(status) !== 0 && counts.failed === 0) counts.failed = 1;
console.log(counts.passed, counts.failed, counts.skipped);
