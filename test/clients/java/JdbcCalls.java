import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/** The JDBC driver of CDAP 4.1 on streams that are there already. Arguments: host and port. */
final class JdbcCalls {
  public static void main(String[] args) throws Exception {
    Class.forName("co.cask.cdap.explore.jdbc.ExploreDriver");
    String url = "jdbc:cdap://" + args[0] + ":" + args[1] + "?namespace=default";
    try (Connection connection = DriverManager.getConnection(url)) {
      rows(connection);
      prepared(connection);
      errors(connection);
      metadata(connection.getMetaData());
    }
    Calls.call("no such service", () -> DriverManager.getConnection("jdbc:cdap://127.0.0.1:1?namespace=default").createStatement().execute("SELECT 1"));
    System.exit(0);
  }

  private static void rows(Connection connection) {
    Calls.call("rows", () -> query(connection, "SELECT page, hits FROM stream_clicks WHERE hits IS NOT NULL ORDER BY hits"));
    Calls.call("no rows", () -> query(connection, "SELECT page FROM stream_clicks WHERE hits = 1000"));
    Calls.call("labels", () -> labels(connection, "SELECT page, hits AS n FROM stream_clicks"));
    for (String kind : new String[] {"i", "l", "f", "d", "b", "s", "raw"}) {
      Calls.call("kind " + kind, () -> one(connection, "SELECT " + kind + " FROM stream_kinds LIMIT 1"));
    }
    Calls.call("null of a kind", () -> one(connection, "SELECT nothing FROM stream_kinds LIMIT 1"));
    Calls.call("headers", () -> one(connection, "SELECT headers FROM stream_clicks LIMIT 1"));
    Calls.call("sum", () -> one(connection, "SELECT sum(hits) FROM stream_clicks"));
    Calls.call("average", () -> one(connection, "SELECT avg(hits) FROM stream_clicks"));
    Calls.call("count", () -> one(connection, "SELECT count(*) FROM stream_clicks"));
    Calls.call("max rows", () -> {
      try (Statement statement = connection.createStatement()) {
        statement.setMaxRows(1);
        return values(statement.executeQuery("SELECT page FROM stream_clicks ORDER BY page")).size() >= 1;
      }
    });
    Calls.call("by name and by number", () -> {
      try (Statement statement = connection.createStatement();
           ResultSet result = statement.executeQuery("SELECT page, hits FROM stream_clicks ORDER BY page LIMIT 1")) {
        result.next();
        return result.getString("page") + " " + result.getInt("hits") + " " + result.getString(1) + " "
          + result.getLong(2) + " " + result.getObject("hits").getClass().getSimpleName();
      }
    });
  }

  private static void prepared(Connection connection) {
    Calls.call("prepared", () -> {
      try (PreparedStatement statement = connection.prepareStatement("SELECT page FROM stream_clicks WHERE hits = ? AND page = ?")) {
        statement.setInt(1, 2);
        statement.setString(2, "b");
        return values(statement.executeQuery());
      }
    });
    Calls.call("a quote in a parameter", () -> {
      try (PreparedStatement statement = connection.prepareStatement("SELECT ?, count(*) FROM stream_clicks WHERE page = ?")) {
        statement.setString(1, "it's");
        statement.setString(2, "x' OR 1=1 --");
        return values(statement.executeQuery());
      }
    });
  }

  private static void errors(Connection connection) {
    Calls.call("unknown table", () -> query(connection, "SELECT * FROM stream_nope"));
    Calls.call("unknown column", () -> query(connection, "SELECT nope FROM stream_clicks"));
    Calls.call("bad syntax", () -> query(connection, "SELEKT 1"));
    Calls.call("an error is an SQLException", () -> {
      try {
        query(connection, "SELECT nope FROM stream_clicks");
        return false;
      } catch (SQLException expected) {
        return true;
      }
    });
    Calls.call("after an error", () -> one(connection, "SELECT count(*) FROM stream_clicks"));
  }

  private static void metadata(DatabaseMetaData metadata) {
    Calls.call("product", metadata::getDatabaseProductName);
    Calls.call("product version", metadata::getDatabaseProductVersion);
    Calls.call("driver", () -> metadata.getDriverName().isEmpty());
    Calls.call("catalogs", () -> size(metadata::getCatalogs));
    Calls.call("schemas", () -> column(metadata.getSchemas(), "TABLE_SCHEM"));
    Calls.call("schemas like", () -> column(metadata.getSchemas(null, "def%"), "TABLE_SCHEM"));
    Calls.call("table types", () -> column(metadata.getTableTypes(), "TABLE_TYPE").contains("TABLE"));
    Calls.call("types", () -> column(metadata.getTypeInfo(), "TYPE_NAME").contains("BIGINT"));
    Calls.call("tables", () -> column(metadata.getTables(null, null, "%", null), "TABLE_NAME"));
    Calls.call("tables like", () -> column(metadata.getTables(null, "default", "%clicks", new String[] {"TABLE"}), "TABLE_NAME"));
    Calls.call("columns", () -> column(metadata.getColumns(null, null, "stream_clicks", "%"), "COLUMN_NAME"));
    Calls.call("columns like", () -> column(metadata.getColumns(null, "default", "stream_clicks", "p%"), "COLUMN_NAME"));
    Calls.call("functions", () -> size(() -> metadata.getFunctions(null, null, "%")));
  }

  private static Object one(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
      ResultSetMetaData columns = result.getMetaData();
      result.next();
      Object value = result.getObject(1);
      List<Object> described = new ArrayList<>();
      described.add(columns.getColumnTypeName(1));
      described.add(value == null ? "null" : value.getClass().getSimpleName());
      described.add(value instanceof byte[] ? new String((byte[]) value, StandardCharsets.UTF_8) : value);
      return described;
    }
  }

  private static List<String> labels(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
      ResultSetMetaData columns = result.getMetaData();
      List<String> labels = new ArrayList<>();
      for (int i = 1; i <= columns.getColumnCount(); i++) {
        labels.add(columns.getColumnLabel(i) + " " + columns.getColumnTypeName(i) + " " + columns.getColumnType(i));
      }
      return labels;
    }
  }

  private static List<List<Object>> query(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return values(statement.executeQuery(sql));
    }
  }

  private static List<List<Object>> values(ResultSet result) throws SQLException {
    List<List<Object>> rows = new ArrayList<>();
    while (result.next()) {
      List<Object> row = new ArrayList<>();
      for (int i = 1; i <= result.getMetaData().getColumnCount(); i++) {
        row.add(result.getObject(i));
      }
      rows.add(row);
    }
    return rows;
  }

  private static List<String> column(ResultSet result, String label) throws SQLException {
    List<String> values = new ArrayList<>();
    while (result.next()) {
      values.add(result.getString(label));
    }
    return values;
  }

  private static boolean size(Callable<ResultSet> rows) throws Exception {
    ResultSet result = rows.call();
    while (result.next()) {
      // read to the end
    }
    return true;
  }
}
