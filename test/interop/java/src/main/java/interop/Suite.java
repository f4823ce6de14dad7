package interop;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.hadoop.security.UserGroupInformation;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Request;
import org.junit.runner.manipulation.Filter;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/**
 * Runs the JUnit classes of its arguments one after another and prints a line of JSON for each test on standard output:
 * {"test": "Class.method", "outcome": "passed" | "failed" | "skipped", "ms": n, "trace": text}.
 */
public final class Suite {
  /** Tests that start a namenode again in their own process, which an endpoint cannot do. */
  private static final Set<String> NEED_THEIR_OWN_PROCESS = Set.of("testEditsLogOldRename", "testEditsLogRename");

  private Suite() {
  }

  public static void main(String[] names) throws Exception {
    PrintStream report = System.out;
    System.setOut(System.err);
    JUnitCore core = new JUnitCore();
    core.addListener(new Printer(report));
    UserGroupInformation user = UserGroupInformation.getLoginUser();
    for (String name : names) {
      // Some tests go on as a user of their own and do not come back.
      UserGroupInformation.setLoginUser(user);
      core.run(Request.aClass(Class.forName(name)).filterWith(new Filter() {
        @Override
        public boolean shouldRun(Description description) {
          return description.isSuite() || !NEED_THEIR_OWN_PROCESS.contains(description.getMethodName());
        }

        @Override
        public String describe() {
          return "tests of an endpoint";
        }
      }));
    }
    report.flush();
    // Clients that tests left open have threads that would keep this process.
    System.exit(0);
  }

  private static final class Printer extends RunListener {
    private final PrintStream report;
    private final ObjectMapper json = new ObjectMapper();
    private long started;
    private String outcome;
    private String trace;

    Printer(PrintStream report) {
      this.report = report;
    }

    @Override
    public void testStarted(Description description) {
      started = System.nanoTime();
      outcome = "passed";
      trace = "";
    }

    @Override
    public void testFailure(Failure failure) throws Exception {
      outcome = "failed";
      trace = failure.getTrace();
      // Failures of a whole class come without a test's start and end.
      if (failure.getDescription().getMethodName() == null) {
        print(failure.getDescription(), 0);
      }
    }

    @Override
    public void testAssumptionFailure(Failure failure) {
      outcome = "skipped";
      trace = String.valueOf(failure.getMessage());
    }

    @Override
    public void testFinished(Description description) throws Exception {
      print(description, (System.nanoTime() - started) / 1_000_000);
    }

    private void print(Description description, long ms) throws Exception {
      String name = description.getClassName();
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("test", name.substring(name.lastIndexOf('.') + 1) + "." + description.getMethodName());
      line.put("outcome", outcome);
      line.put("ms", ms);
      line.put("trace", trace);
      report.println(json.writeValueAsString(line));
      report.flush();
    }
  }
}
