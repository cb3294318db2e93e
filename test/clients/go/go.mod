module millrace.example/clients

go 1.18

require github.com/aiven/aiven-go-client v1.17.0

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.2 // indirect
)
