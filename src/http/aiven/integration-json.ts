/** An integration as clients of Aiven read it. All members are always there; secrets of `user_config` are `"***"`. */
import type { ContactState, Integration, IntegrationKind } from '../../tables/table.ts'
import { shownConfig } from '../../tables/user-config.ts'

const SERVICE_TYPES: Readonly<Record<IntegrationKind, string>> = {
  stream: 'kafka',
  kafka: 'kafka',
  postgres: 'pg',
}

export function integrationOf(integration: Integration, { active, state, reason }: ContactState): object {
  const { id, kind, sourceService, sourceProject, destService, destProject } = integration
  return {
    service_integration_id: id,
    integration_type: 'flink',
    source_service: sourceService,
    source_project: sourceProject,
    source_service_type: SERVICE_TYPES[kind],
    dest_service: destService,
    dest_project: destProject,
    dest_service_type: 'flink',
    source_endpoint_id: null,
    source_endpoint: null,
    dest_endpoint_id: null,
    dest_endpoint: null,
    enabled: true,
    active,
    description: '',
    integration_status: { ...(state !== undefined && { state }), ...(reason !== undefined && { reason }) },
    user_config: shownConfig(integration.userConfig),
  }
}
