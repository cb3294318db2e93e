import co.cask.cdap.api.data.format.FormatSpecification;
import co.cask.cdap.api.data.schema.Schema;
import co.cask.cdap.api.flow.flowlet.StreamEvent;
import co.cask.cdap.client.ApplicationClient;
import co.cask.cdap.client.ArtifactClient;
import co.cask.cdap.client.DatasetClient;
import co.cask.cdap.client.LineageClient;
import co.cask.cdap.client.MetaClient;
import co.cask.cdap.client.MetadataClient;
import co.cask.cdap.client.MetricsClient;
import co.cask.cdap.client.MonitorClient;
import co.cask.cdap.client.NamespaceClient;
import co.cask.cdap.client.PreferencesClient;
import co.cask.cdap.client.QueryClient;
import co.cask.cdap.client.StreamClient;
import co.cask.cdap.client.StreamViewClient;
import co.cask.cdap.client.config.ClientConfig;
import co.cask.cdap.client.config.ConnectionConfig;
import co.cask.cdap.explore.client.ExploreExecutionResult;
import co.cask.cdap.proto.ColumnDesc;
import co.cask.cdap.proto.NamespaceMeta;
import co.cask.cdap.proto.StreamProperties;
import co.cask.cdap.proto.ViewSpecification;
import co.cask.cdap.proto.element.EntityTypeSimpleName;
import co.cask.cdap.proto.id.NamespaceId;
import co.cask.cdap.proto.id.StreamId;
import co.cask.cdap.proto.id.StreamViewId;
import co.cask.cdap.proto.metadata.MetadataRecord;
import co.cask.cdap.proto.metadata.MetadataScope;
import co.cask.cdap.proto.metadata.MetadataSearchResponse;
import co.cask.cdap.proto.metadata.MetadataSearchResultRecord;
import co.cask.cdap.proto.metadata.lineage.LineageRecord;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSet;
import com.google.common.io.ByteStreams;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** The Java client of CDAP 4.1, call by call. Arguments: host and port. */
final class ClientCalls {
  private static final NamespaceId DEFAULT = NamespaceId.DEFAULT;
  private static final StreamId LOGS = DEFAULT.stream("logs");
  private static final StreamViewId VIEW = LOGS.view("hits");
  private static final Schema SCHEMA = Schema.recordOf("hit",
    Schema.Field.of("page", Schema.of(Schema.Type.STRING)),
    Schema.Field.of("count", Schema.nullableOf(Schema.of(Schema.Type.INT))));

  public static void main(String[] args) throws Exception {
    ClientConfig config = ClientConfig.builder()
      .setConnectionConfig(new ConnectionConfig(args[0], Integer.parseInt(args[1]), false)).build();
    meta(config);
    streams(new StreamClient(config));
    views(new StreamViewClient(config));
    queries(new QueryClient(config));
    metadata(new MetadataClient(config));
    lineage(new LineageClient(config));
    metrics(new MetricsClient(config));
    namespaces(config, new NamespaceClient(config));
    whatIsNotHere(config);
    ends(new StreamClient(config), new StreamViewClient(config));
    System.exit(0); // the clients leave threads behind
  }

  private static void meta(ClientConfig config) {
    MetaClient meta = new MetaClient(config);
    Calls.act("ping", meta::ping);
    Calls.call("version", () -> meta.getVersion().getVersion());
    Calls.call("cdap config", () -> meta.getCDAPConfig().size());
    Calls.call("hadoop config", () -> meta.getHadoopConfig().size());
    MonitorClient monitor = new MonitorClient(config);
    Calls.call("services", () -> names(monitor.listSystemServices(), service -> service.getName() + " " + service.getStatus()));
    Calls.call("all statuses", () -> monitor.getAllSystemServiceStatus());
    Calls.call("status of streams", () -> monitor.getSystemServiceStatus("streams"));
    Calls.call("status of nope", () -> monitor.getSystemServiceStatus("nope"));
    Calls.call("instances of streams", () -> monitor.getSystemServiceInstances("streams"));
    Calls.call("all ok", monitor::allSystemServicesOk);
  }

  private static void streams(StreamClient streams) {
    Calls.act("create", () -> streams.create(LOGS));
    Calls.act("create again", () -> streams.create(LOGS));
    Calls.act("create with properties", () -> streams.create(DEFAULT.stream("other"),
      new StreamProperties(500L, new FormatSpecification("csv", SCHEMA, ImmutableMap.of("delimiter", ";")), 7, "theirs")));
    Calls.call("config of other", () -> describe(streams.getConfig(DEFAULT.stream("other"))));
    Calls.call("list", () -> names(streams.list(DEFAULT), detail -> detail.getName()));
    Calls.act("send", () -> streams.sendEvent(LOGS, "a,1"));
    Calls.act("send async", () -> streams.asyncSendEvent(LOGS, "b,2"));
    Calls.act("send batch", () -> streams.sendBatch(LOGS, "text/csv",
      ByteStreams.newInputStreamSupplier("c,3\nd,x\n".getBytes(StandardCharsets.UTF_8))));
    Calls.call("events", () -> bodies(streams, 0, Long.MAX_VALUE, Integer.MAX_VALUE));
    Calls.call("two events", () -> bodies(streams, 0, Long.MAX_VALUE, 2));
    Calls.call("no events", () -> bodies(streams, 0, 1, 2));
    Calls.call("events by text", () -> streams.getEvents(LOGS, "now-1h", "now+1h", 10, new ArrayList<StreamEvent>()).size());
    Calls.call("content type", () -> streams.getEvents(LOGS, 0, Long.MAX_VALUE, 9, new ArrayList<StreamEvent>()).get(2).getHeaders());
    Calls.act("ttl", () -> streams.setTTL(LOGS, 1000));
    Calls.act("description", () -> streams.setDescription(LOGS, "ours"));
    Calls.act("properties", () -> streams.setStreamProperties(LOGS,
      new StreamProperties(2000L, new FormatSpecification("csv", SCHEMA), 10)));
    Calls.call("config", () -> describe(streams.getConfig(LOGS)));
    Calls.act("bad ttl", () -> streams.setTTL(LOGS, -1));
    Calls.call("config of nope", () -> streams.getConfig(DEFAULT.stream("nope")));
    Calls.act("send to nope", () -> streams.sendEvent(DEFAULT.stream("nope"), "x"));
  }

  private static void views(StreamViewClient views) {
    FormatSpecification csv = new FormatSpecification("csv", SCHEMA, ImmutableMap.of("delimiter", ","));
    Calls.call("view", () -> views.createOrUpdate(VIEW, new ViewSpecification(csv, "hits_table")));
    Calls.call("view again", () -> views.createOrUpdate(VIEW, new ViewSpecification(csv, "hits_table")));
    Calls.call("view with another table", () -> views.createOrUpdate(VIEW, new ViewSpecification(csv, "other_table")));
    Calls.call("views", () -> views.list(LOGS));
    Calls.call("view detail", () -> views.get(VIEW).getId() + " " + views.get(VIEW).getTableName() + " " + views.get(VIEW).getFormat().getName());
    Calls.call("view nope", () -> views.get(LOGS.view("nope")));
  }

  private static void queries(QueryClient queries) {
    Calls.call("select", () -> rows(queries, "SELECT page, count FROM stream_logs WHERE count IS NOT NULL ORDER BY count"));
    Calls.call("select of a view", () -> rows(queries, "SELECT page FROM hits_table ORDER BY page LIMIT 2"));
    Calls.call("column types", () -> columns(queries, "SELECT ts, headers, page, count FROM stream_logs"));
    Calls.call("sum", () -> rows(queries, "SELECT sum(count) AS s, count(*) AS n FROM stream_logs"));
    Calls.call("type of sum", () -> columns(queries, "SELECT sum(count) AS s FROM stream_logs"));
    Calls.call("show tables", () -> rows(queries, "SHOW TABLES"));
    Calls.call("bad query", () -> rows(queries, "SELECT nope FROM stream_logs"));
  }

  private static void metadata(MetadataClient metadata) {
    Calls.act("add properties", () -> metadata.addProperties(LOGS.toId(), ImmutableMap.of("owner", "ann", "stage", "live")));
    Calls.act("add tags", () -> metadata.addTags(LOGS.toId(), ImmutableSet.of("web", "fast")));
    Calls.act("add tags of a view", () -> metadata.addTags(VIEW.toId(), ImmutableSet.of("web")));
    Calls.call("metadata", () -> describe(metadata.getMetadata(LOGS.toId(), MetadataScope.USER)));
    Calls.call("metadata of a view", () -> describe(metadata.getMetadata(VIEW.toId(), MetadataScope.USER)));
    Calls.call("scopes", () -> metadata.getMetadata(LOGS.toId()).size());
    Calls.call("properties of user", () -> metadata.getProperties(LOGS.toId(), MetadataScope.USER));
    Calls.call("tags", () -> new TreeSet<>(metadata.getTags(LOGS.toId())));
    Calls.call("search", () -> describe(metadata.searchMetadata(DEFAULT.toId(), "owner:ann", (EntityTypeSimpleName) null)));
    Calls.call("search views", () -> describe(metadata.searchMetadata(DEFAULT.toId(), "web", EntityTypeSimpleName.VIEW)));
    Calls.call("search pages", () -> describe(metadata.searchMetadata(DEFAULT.toId(), "*",
      ImmutableSet.of(EntityTypeSimpleName.STREAM), "entity-name desc", 0, 1, 1, null, false)));
    Calls.call("search next page", () -> describe(metadata.searchMetadata(DEFAULT.toId(), "*",
      ImmutableSet.of(EntityTypeSimpleName.STREAM), "entity-name desc", 0, 1, 0, "logs:logs", false)));
    Calls.call("search nothing", () -> describe(metadata.searchMetadata(DEFAULT.toId(), "zzz", (EntityTypeSimpleName) null)));
    Calls.call("search with a bad sort", () -> describe(metadata.searchMetadata(DEFAULT.toId(), "*",
      ImmutableSet.of(EntityTypeSimpleName.STREAM), "size up", 0, 1, 0, null, false)));
    Calls.act("remove property", () -> metadata.removeProperty(LOGS.toId(), "stage"));
    Calls.act("remove tag", () -> metadata.removeTag(LOGS.toId(), "fast"));
    Calls.call("what is left", () -> describe(metadata.getMetadata(LOGS.toId(), MetadataScope.USER)));
    Calls.act("remove properties", () -> metadata.removeProperties(LOGS.toId()));
    Calls.act("remove tags", () -> metadata.removeTags(LOGS.toId()));
    Calls.act("remove metadata", () -> metadata.removeMetadata(LOGS.toId()));
    Calls.call("nothing is left", () -> describe(metadata.getMetadata(LOGS.toId(), MetadataScope.USER)));
  }

  private static void lineage(LineageClient lineage) {
    Calls.call("lineage", () -> describe(lineage.getLineage(LOGS, 0, Long.MAX_VALUE, null)));
    Calls.call("lineage with levels", () -> describe(lineage.getLineage(LOGS, 5, 9, 3)));
    Calls.call("lineage by text", () -> lineage.getLineage(LOGS, "now-1h", "now", 1).getRelations().size());
    Calls.call("lineage backwards", () -> describe(lineage.getLineage(LOGS, 9, 5, null)));
  }

  private static void metrics(MetricsClient metrics) {
    Map<String, String> tags = ImmutableMap.of("namespace", "default", "stream", "logs");
    List<String> events = ImmutableList.of("system.collect.events");
    Calls.call("metric tags", () -> names(metrics.searchTags(ImmutableMap.of("namespace", "default")), tag -> tag.getName() + "=" + tag.getValue()));
    Calls.call("metric names", () -> metrics.searchMetrics(tags));
    Calls.call("metric total", () -> metrics.query(tags, "system.collect.events").getSeries()[0].getData()[0].getValue());
    Calls.call("metric to the end of time", () -> metrics.query(tags, events, ImmutableList.<String>of(), "0", "9223372036854775807").getEndTime());
    Calls.call("metric of an hour", () -> metrics.query(tags, events, ImmutableList.<String>of(),
      ImmutableMap.of("start", "now-1h", "end", "now", "resolution", "1h")).getSeries().length);
    Calls.call("metric of nope", () -> metrics.query(ImmutableMap.of("stream", "nope"), "system.collect.events").getSeries().length);
  }

  private static void namespaces(ClientConfig config, NamespaceClient namespaces) {
    NamespaceId shop = new NamespaceId("shop");
    Calls.act("create namespace", () -> namespaces.create(
      new NamespaceMeta.Builder().setName(shop).setDescription("Shop").setExploreAsPrincipal(false).build()));
    Calls.act("create namespace again", () -> namespaces.create(new NamespaceMeta.Builder().setName(shop).build()));
    Calls.call("namespace", () -> namespaces.get(shop).getDescription() + " " + namespaces.get(shop).getConfig().isExploreAsPrincipal());
    Calls.call("namespaces", () -> names(namespaces.list(), NamespaceMeta::getName));
    Calls.act("namespace properties", () -> namespaces.updateProperties(shop,
      new NamespaceMeta.Builder().setName(shop).setDescription("The shop").setSchedulerQueueName("slow").build()));
    Calls.call("namespace changed", () -> namespaces.get(shop).getDescription() + " " + namespaces.get(shop).getConfig().getSchedulerQueueName());
    Calls.call("namespace nope", () -> namespaces.get(new NamespaceId("nope")));
    Calls.call("exists", () -> namespaces.exists(shop) + " " + namespaces.exists(new NamespaceId("nope")));
    Calls.call("streams of shop", () -> new StreamClient(config).list(shop).size());
    Calls.act("delete namespace", () -> namespaces.delete(shop));
    Calls.act("delete namespace again", () -> namespaces.delete(shop));
  }

  private static void whatIsNotHere(ClientConfig config) {
    ApplicationClient applications = new ApplicationClient(config);
    Calls.call("apps", () -> applications.list(DEFAULT).size());
    Calls.call("programs", () -> new TreeMap<>(applications.listAllPrograms(DEFAULT)).values().stream().mapToInt(List::size).sum());
    Calls.call("app nope", () -> applications.get(DEFAULT.app("nope")));
    Calls.call("artifacts", () -> new ArtifactClient(config).list(DEFAULT).size());
    Calls.call("application classes", () -> new ArtifactClient(config).getApplicationClasses(DEFAULT).size());
    Calls.call("datasets", () -> new DatasetClient(config).list(DEFAULT).size());
    Calls.call("dataset exists", () -> new DatasetClient(config).exists(DEFAULT.dataset("nope")));
    Calls.call("preferences", () -> new PreferencesClient(config).getInstancePreferences());
    Calls.call("preferences of namespace", () -> new PreferencesClient(config).getNamespacePreferences(DEFAULT, true));
  }

  private static void ends(StreamClient streams, StreamViewClient views) {
    Calls.act("delete view", () -> views.delete(VIEW));
    Calls.act("delete view again", () -> views.delete(VIEW));
    Calls.act("truncate", () -> streams.truncate(LOGS));
    Calls.call("truncated", () -> bodies(streams, 0, Long.MAX_VALUE, Integer.MAX_VALUE));
    Calls.act("delete", () -> streams.delete(LOGS));
    Calls.act("delete again", () -> streams.delete(LOGS));
  }

  private static List<String> bodies(StreamClient streams, long start, long end, int limit) throws Exception {
    return names(streams.getEvents(LOGS, start, end, limit, new ArrayList<StreamEvent>()),
      event -> StandardCharsets.UTF_8.decode(event.getBody()).toString());
  }

  private static List<List<Object>> rows(QueryClient queries, String sql) throws Exception {
    try (ExploreExecutionResult result = queries.execute(DEFAULT, sql).get()) {
      List<List<Object>> rows = new ArrayList<>();
      while (result.hasNext()) {
        rows.add(result.next().getColumns());
      }
      return rows;
    }
  }

  private static List<String> columns(QueryClient queries, String sql) throws Exception {
    try (ExploreExecutionResult result = queries.execute(DEFAULT, sql).get()) {
      return names(result.getResultSchema(), column -> column.getName() + " " + column.getType());
    }
  }

  private static String describe(StreamProperties properties) {
    return properties.getTTL() + " " + properties.getFormat().getName() + " " + properties.getFormat().getSettings()
      + " " + properties.getNotificationThresholdMB() + " " + properties.getDescription()
      + " " + properties.getFormat().getSchema();
  }

  private static List<String> describe(Iterable<MetadataRecord> records) {
    return names(records, record -> record.getEntityId() + " " + new TreeMap<>(record.getProperties())
      + " " + new TreeSet<>(record.getTags()));
  }

  private static List<Object> describe(MetadataSearchResponse response) {
    List<String> found = names(response.getResults(), MetadataSearchResultRecord::getEntityId);
    return ImmutableList.<Object>of(response.getTotal(), found, response.getCursors());
  }

  private static String describe(LineageRecord lineage) {
    return lineage.getStart() + " " + lineage.getEnd() + " " + lineage.getRelations().size();
  }

  private static <T> List<String> names(Iterable<? extends T> items, java.util.function.Function<? super T, ?> name) {
    List<String> names = new ArrayList<>();
    for (T item : items) {
      names.add(String.valueOf(name.apply(item)));
    }
    return names;
  }
}
