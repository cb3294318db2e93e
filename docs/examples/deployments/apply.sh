#!/bin/sh
# Makes the deployments of a namespace as the files of a folder say: apply.sh FOLDER URL, where URL ends in /api/v1/namespaces/NAME.
# A deployment that is there gets the file as a patch, which restarts its job only if the template has changed; else it is created.
# With MILLRACE_TOKEN set, requests have this token.
set -eu
folder=$1
namespace=$2

send() { # method, path, file
  curl --silent --show-error --fail-with-body -X "$1" ${MILLRACE_TOKEN:+-H "Authorization: Bearer $MILLRACE_TOKEN"} \
    -H 'Content-Type: application/yaml' -H 'Accept: application/yaml' --data-binary "@$3" "$namespace/$2"
}

for file in "$folder"/*.yaml; do
  name=$(sed -n 's/^  name: *//p' "$file" | head -n 1)
  status=$(curl --silent --output /dev/null --write-out '%{http_code}' \
    ${MILLRACE_TOKEN:+-H "Authorization: Bearer $MILLRACE_TOKEN"} "$namespace/deployments/$name")
  case $status in
    200) send PATCH "deployments/$name" "$file" >applied.yaml && echo "$name changed" ;;
    404) send POST deployments "$file" >applied.yaml && echo "$name created" ;;
    *) echo "$name: the service answered $status" >&2 && exit 1 ;;
  esac
done
