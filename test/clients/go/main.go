// Makes calls of aiven-go-client and prints one line of JSON for each: its name, and its value or its error.
// The argument is the address of the service, which AIVEN_WEB_URL names as well.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aiven/aiven-go-client"
)

const (
	project   = "p"
	service   = "demo-flink"
	statement = "INSERT INTO CPU_OUT SELECT hostname, cpu FROM CPU_IN WHERE cpu > 80"
	schema    = "hostname STRING, cpu DOUBLE"
	wait      = 180 * time.Second
)

type line struct {
	Call  string `json:"call"`
	Ok    bool   `json:"ok"`
	Value any    `json:"value"`
	Error string `json:"error,omitempty"`
}

// An error begins with what the client's own tests of errors say of it.
func textOf(err error) string {
	text := err.Error()
	if aiven.IsNotFound(err) {
		text = "NotFound " + text
	}
	if aiven.IsAlreadyExists(err) {
		text = "AlreadyExists " + text
	}
	return text
}

func call[T any](name string, value T, err error) T {
	made := line{Call: name, Ok: err == nil}
	if err == nil {
		made.Value = value
	} else {
		made.Error = textOf(err)
	}
	printed, _ := json.Marshal(made)
	fmt.Println(string(printed))
	return value
}

func act(name string, err error) {
	call[any](name, nil, err)
}

// Calls `seen` until it gives what is wanted, and returns what it gave last.
func until(wanted string, seen func() (string, error)) (string, error) {
	for end := time.Now().Add(wait); ; time.Sleep(50 * time.Millisecond) {
		got, err := seen()
		if err != nil || got == wanted || time.Now().After(end) {
			return got, err
		}
	}
}

func main() {
	base := os.Args[1]
	client, err := aiven.NewTokenClient("T", "")
	if err != nil {
		panic(err)
	}
	services(client)
	kafka := integrations(client)
	in, out := tables(client, kafka)
	jobs(client, base, in, out)
	for name, id := range map[string]string{"input": in, "output": out} {
		act("delete the table of "+name, client.FlinkTables.Delete(project, service, aiven.DeleteFlinkTableRequest{TableId: id}))
	}
	act("delete a table again", client.FlinkTables.Delete(project, service, aiven.DeleteFlinkTableRequest{TableId: in}))
	act("delete an integration", client.ServiceIntegrations.Delete(project, kafka))
	applications(client)
}

func services(client *aiven.Client) {
	got, err := client.Services.Get(project, service)
	if err == nil {
		call("get service", []string{got.Name, got.Type, got.State}, nil)
	} else {
		act("get service", err)
	}
	_, err = client.Services.Get(project, "nope")
	act("get service nope", err)
}

func integrations(client *aiven.Client) string {
	create := func(source string, config map[string]any) (*aiven.ServiceIntegration, error) {
		return client.ServiceIntegrations.Create(project, aiven.CreateServiceIntegrationRequest{
			IntegrationType: "flink", SourceService: aiven.ToStringPointer(source),
			DestinationService: aiven.ToStringPointer(service), UserConfig: config,
		})
	}
	made, err := create("demo-kafka", nil)
	if err != nil {
		panic(err)
	}
	kafka := made.ServiceIntegrationID
	call("create integration", []string{*made.SourceService, *made.DestinationService, *made.SourceServiceType}, nil)
	_, err = create("nope", nil)
	act("create integration nope", err)

	uri := map[string]any{"connection_uri": "postgres://millrace:s3cret@127.0.0.1:1/db"}
	mine, err := create("mine", uri)
	if err != nil {
		panic(err)
	}
	id := mine.ServiceIntegrationID
	got, err := client.ServiceIntegrations.Get(project, id)
	call("get integration", got.UserConfig, err)
	got, err = client.ServiceIntegrations.Update(project, id, aiven.UpdateServiceIntegrationRequest{UserConfig: uri})
	call("update integration", got.UserConfig, err)
	listed, err := client.ServiceIntegrations.List(project, service)
	var sources []string
	for _, one := range listed {
		sources = append(sources, *one.SourceService+" "+*one.SourceServiceType)
	}
	call("list integrations", sources, err)
	act("delete integration mine", client.ServiceIntegrations.Delete(project, id))
	_, err = client.ServiceIntegrations.Get(project, id)
	act("get integration again", err)
	return kafka
}

func tables(client *aiven.Client, kafka string) (string, string) {
	flink := client.FlinkTables
	ofTopic := func(name, schema string) aiven.CreateFlinkTableRequest {
		return aiven.CreateFlinkTableRequest{
			Name: name, SchemaSQL: schema, IntegrationId: kafka, KafkaTopic: strings.ToLower(name),
			KafkaConnectorType: "kafka", KafkaValueFormat: "json", KafkaStartupMode: "earliest-offset",
		}
	}
	in, err := flink.Create(project, service, ofTopic("CPU_IN", schema))
	call("create table", []string{in.TableName, in.SchemaSQL}, err)
	out, err := flink.Create(project, service, ofTopic("CPU_OUT", schema))
	call("create another table", out.TableName, err)
	_, err = flink.Create(project, service, ofTopic("CPU_IN", schema))
	act("create table again", err)
	_, err = flink.Create(project, service, ofTopic("BAD", "a INTT"))
	act("create table with an unknown type", err)

	upsert, err := flink.Create(project, service, aiven.CreateFlinkTableRequest{
		Name: "LAST", SchemaSQL: "hostname STRING, cpu DOUBLE, PRIMARY KEY (hostname) NOT ENFORCED", IntegrationId: kafka,
		UpsertKafka: &aiven.FlinkTableUpsertKafka{Topic: "last", KeyFormat: "json", ValueFormat: "json"},
	})
	call("create upsert table", upsert.TableName, err)
	act("delete upsert table", flink.Delete(project, service, aiven.DeleteFlinkTableRequest{TableId: upsert.TableId}))

	got, err := flink.Get(project, service, aiven.GetFlinkTableRequest{TableId: in.TableId})
	call("get table", got.TableName, err)
	listed, err := flink.List(project, service)
	var names []string
	for _, one := range listed.Tables {
		names = append(names, one.TableName)
	}
	call("list tables", names, err)

	valid, err := flink.Validate(project, service, aiven.ValidateFlinkTableRequest(ofTopic("OTHER", schema)))
	call("validate table", valid.TableValidateError, err)
	invalid, err := flink.Validate(project, service, aiven.ValidateFlinkTableRequest(ofTopic("OTHER", "a INTT")))
	call("validate table with an unknown type", invalid.TableValidateError, err)
	return in.TableId, out.TableId
}

func jobs(client *aiven.Client, base, in, out string) {
	flink := client.FlinkJobs
	ids := []string{in, out}
	valid, err := flink.Validate(project, service, aiven.ValidateFlinkJobRequest{Statement: statement, TableIDs: ids})
	call("validate job", valid.JobValidateError, err)
	invalid, err := flink.Validate(project, service, aiven.ValidateFlinkJobRequest{Statement: "SELECT * FROM CPU_IN", TableIDs: ids})
	call("validate a query", invalid.JobValidateError, err)
	_, err = flink.Create(project, service, aiven.CreateFlinkJobRequest{Statement: "SELECT * FROM CPU_IN", TablesIds: ids})
	act("create job of a query", err)

	made, err := flink.Create(project, service, aiven.CreateFlinkJobRequest{JobName: "JobExample", Statement: statement, TablesIds: ids})
	call("create job", made.JobName, err)
	job := made.JobId
	state := func() (string, error) {
		got, err := flink.Get(project, service, aiven.GetFlinkJobRequest{JobId: job})
		if err != nil {
			return "", err
		}
		return got.State, nil
	}
	running, err := until("RUNNING", state)
	call("state of the job", running, err)
	got, err := flink.Get(project, service, aiven.GetFlinkJobRequest{JobId: job})
	call("get job", []any{got.JID == job, got.Name, got.IsStoppable, got.MaxParallelism, got.Plan.JID == job, got.StatusCounts.Running == len(got.Vertices)}, err)
	rows, err := until(`[{"hostname":"doc","cpu":91.5}]`, func() (string, error) { return rowsOf(base, "cpu_out") })
	call("rows of the job", rows, err)

	act("delete a table that the job uses", client.FlinkTables.Delete(project, service, aiven.DeleteFlinkTableRequest{TableId: out}))
	act("cancel job", flink.Patch(project, service, aiven.PatchFlinkJobRequest{JobId: job}))
	canceled, err := until("CANCELED", state)
	call("state after cancel", canceled, err)
	const noJob = "b63c78c70033e00afa84de9029257e31"
	_, err = flink.Get(project, service, aiven.GetFlinkJobRequest{JobId: noJob})
	act("get a job that is not there", err)
	act("cancel a job that is not there", flink.Patch(project, service, aiven.PatchFlinkJobRequest{JobId: noJob}))
}

// Applications came after tables and jobs: the service has none.
func applications(client *aiven.Client) {
	_, err := client.FlinkApplications.List(project, service)
	act("list applications", err)
	_, err = client.FlinkApplications.Create(project, service, aiven.CreateFlinkApplicationRequest{Name: "a"})
	act("create application", err)
	_, err = client.FlinkApplicationVersions.Create(project, service, "a", aiven.GenericFlinkApplicationVersionRequest{Statement: statement})
	act("create version of an application", err)
}

// The bodies of a stream as one JSON array.
func rowsOf(base, stream string) (string, error) {
	answer, err := http.Get(base + "/v3/namespaces/demo_flink/streams/" + stream + "/events?encoding=utf8")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return "", nil // not created yet, or empty
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	var events []struct {
		Body string `json:"body"`
	}
	if err := json.Unmarshal(text, &events); err != nil {
		return "", err
	}
	bodies := make([]string, len(events))
	for i, event := range events {
		bodies[i] = event.Body
	}
	return "[" + strings.Join(bodies, ",") + "]", nil
}
