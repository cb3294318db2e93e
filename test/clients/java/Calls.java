import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;

/** Makes calls of a client and prints one line of JSON for each: its name, and its value or its error. */
final class Calls {
  private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  private Calls() {}

  interface Action {
    void run() throws Exception;
  }

  static <T> T call(String name, Callable<T> callable) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("call", name);
    T value = null;
    try {
      value = callable.call();
      line.put("ok", true);
      line.put("value", value);
    } catch (Throwable error) {
      line.put("ok", false);
      line.put("error", error.getClass().getSimpleName() + ": " + error.getMessage());
    }
    System.out.println(GSON.toJson(line));
    return value;
  }

  static void act(String name, Action action) {
    call(name, () -> {
      action.run();
      return null;
    });
  }
}
