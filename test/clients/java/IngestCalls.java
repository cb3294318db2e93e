import co.cask.cdap.client.StreamClient;
import co.cask.cdap.client.StreamWriter;
import co.cask.cdap.client.rest.RestStreamClient;
import com.google.common.collect.ImmutableMap;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** The Java client of cdap-ingest, call by call. Arguments: host and port. */
final class IngestCalls {
  public static void main(String[] args) throws Exception {
    StreamClient client = RestStreamClient.builder(args[0], Integer.parseInt(args[1])).build();
    Calls.act("create", () -> client.create("x"));
    Calls.act("create again", () -> client.create("x"));
    Calls.act("set ttl", () -> client.setTTL("x", 86400));
    Calls.call("get ttl", () -> client.getTTL("x"));
    Calls.call("ttl of nope", () -> client.getTTL("nope"));
    StreamWriter writer = client.createWriter("x");
    Calls.act("write", () -> writer.write("one", StandardCharsets.UTF_8).get());
    Calls.act("write with headers", () -> writer.write("zw\u00f6lf", StandardCharsets.UTF_8, ImmutableMap.of("k", "v")).get());
    Calls.act("write bytes", () -> writer.write(ByteBuffer.wrap(new byte[] {1, 2})).get());
    Calls.act("close writer", writer::close);
    Calls.call("writer of nope", () -> client.createWriter("nope") != null);
    Calls.act("create another", () -> client.create("y"));
    Calls.act("truncate", () -> client.truncate("y"));
    Calls.act("truncate nope", () -> client.truncate("nope"));
    client.close();
    System.exit(0);
  }
}
